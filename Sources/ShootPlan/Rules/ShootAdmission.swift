package import ClusterModel
internal import FoundationEssentials
package import TendrilCore

/// Says at once, before a Shoot is stored, what its coordinator would say later (Kubernetes documentation, "Dynamic
/// Admission Control", admission.k8s.io/v1).
///
/// That our finalizer stays is said nowhere else: later there is no Shoot of which it could be said.
package enum ShootAdmission {
    /// What the API server asks.
    package struct Review: Codable, Sendable {
        package struct Request: Codable, Sendable {
            package var uid: String
            /// `CREATE`, `UPDATE`, `DELETE` or `CONNECT`.
            package var operation: String
            package var object: JSONValue?
            package var oldObject: JSONValue?
        }

        package var apiVersion: String
        package var kind: String
        package var request: Request
    }

    /// Judges a request.
    ///
    /// - Parameters:
    ///   - request: as the API server sent it.
    ///   - problems: what is wrong with a shoot, and with its change from what was wanted before.
    /// - Returns: why it is refused, for people; `nil` where it is not.
    package static func refusal(
        _ request: Review.Request,
        problems: (_ shoot: Shoot, _ before: Shoot.Spec?) -> [ConfigurationProblem]
    ) -> String? {
        // What cannot be read is the schema's business, which has judged already; the coordinator judges again anyway.
        let (new, old) = (shoot(request.object), shoot(request.oldObject))
        switch request.operation {
        case "DELETE":
            guard let old, old.metadata.annotations?[ShootAnnotation.confirmation] != "true" else { return nil }
            return "set the annotation \(ShootAnnotation.confirmation)=true to confirm the deletion"
        case "CREATE", "UPDATE":
            if let new, let old, Self.isLeft(new, old) { return leaving }
            // Finalizers of what goes have to be removable, and what was accepted stays so until somebody changes it.
            guard let new, !new.isBeingDeleted, new.spec != old?.spec else { return nil }
            // A coordinator takes the shoot; what is wrong with that it says in the status.
            if let old, old.spec.seedName == nil, new.spec.differsInSeedOnly(from: old.spec) { return nil }
            let found = ShootRules.problems(storing: new, over: old, judge: problems)
            return found.isEmpty ? nil : found.line
        default: return nil
        }
    }

    private static let leaving =
        "metadata.finalizers: \(ShootAnnotation.finalizer) stays until status.lastOperation says that all is gone, "
        + "or else nobody would end the machines and the control plane"

    /// Whether somebody has a Shoot go while there may be something of it: only coordinators may write a status, and theirs says
    /// when all is gone.
    private static func isLeft(_ new: Shoot, _ old: Shoot) -> Bool {
        func isKept(_ shoot: Shoot) -> Bool {
            (shoot.metadata.finalizers ?? []).contains(ShootAnnotation.finalizer)
        }
        let last = old.status?.lastOperation
        let isGone = old.isBeingDeleted && last?.type == .delete && last?.state == .succeeded
        // Of one that no seed was ever named for nothing was made, and no coordinator lets it go.
        let isPlaced = old.spec.seedName != nil || old.status?.seedName != nil
        return isPlaced && isKept(old) && !isKept(new) && !isGone
    }

    /// The answer to a request.
    package static func answer(uid: String, refusal: String?) -> JSONValue {
        var response: JSONValue = ["uid": .string(uid), "allowed": .bool(refusal == nil)]
        if let refusal {
            response = response.merging(["status": ["code": 422, "reason": "Invalid", "message": .string(refusal)]])
        }
        return ["apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response]
    }

    private static func shoot(_ object: JSONValue?) -> Shoot? {
        guard let object, object != .null, let bytes = try? CanonicalJSON.bytes(object) else { return nil }
        return try? JSONDecoder().decode(Shoot.self, from: Data(bytes))
    }
}

extension Shoot.Spec {
    /// Whether nothing else was changed.
    fileprivate func differsInSeedOnly(from other: Shoot.Spec) -> Bool {
        var same = other
        same.seedName = seedName
        return self == same
    }
}
