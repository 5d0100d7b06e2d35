internal import ClusterModel
internal import KubernetesClient
internal import LinuxSystem
internal import Logging
internal import ShootPlan
internal import TendrilCore

/// What people ask for by an annotation.
struct ShootWishes: Sendable {
    let garden: KubernetesClient
    let events: ShootEvents
    let logger: Logger

    /// What a person asks for, once it is written down what that means for credentials; `nil` for nothing,
    /// and for what cannot be, which is told.
    func take(
        _ shoot: Shoot,
        _ records: inout FlowRecords,
        save: (FlowRecords) async throws -> Void
    ) async throws -> ShootOperation? {
        guard let text = shoot.operation else { return nil }
        var rotation = records.rotation ?? Rotation()
        let operation = ShootOperation(rawValue: text)
        let refusal: String?
        switch operation {
        case nil: refusal = "is none of \(ShootOperation.allCases.map(\.rawValue).joined(separator: ", "))"
        case .reconcile, .retry: return operation
        case .rotateStart, .rotateComplete:
            // Who wrote it down may have been stopped before the annotation was taken away.
            if operation.map(rotation.hasBegun) == true {
                try await acknowledge(shoot)
                return operation
            }
            refusal =
                shoot.isHibernated
                ? "the shoot sleeps"
                : operation == .rotateStart ? rotation.start(at: Clock.unixTime()) : rotation.complete()
        }
        if let refusal {
            logger.warning("refused", metadata: ["operation": "\(text.prefix(63))", "reason": "\(refusal)"])
            await events.tell(shoot, "OperationRefused", "\(text.prefix(63)): \(refusal)", isWarning: true)
        } else {
            records.rotation = rotation
            try await save(records)
        }
        // It is written down, and must not be taken a second time.
        try await acknowledge(shoot)
        return refusal == nil ? operation : nil
    }

    /// Takes the annotation away, so that nothing is done twice; another wish that came meanwhile stays.
    func acknowledge(_ shoot: Shoot) async throws {
        for _ in 0..<5 {
            let newest = try await garden.get(Shoot.self, shoot.name, namespace: shoot.namespace)
            guard let wish = newest.operation, wish == shoot.operation else { return }
            let change: JSONValue = [
                "resourceVersion": .string(newest.metadata.resourceVersion ?? ""),
                "annotations": [ShootAnnotation.operation: .null],
            ]
            do throws(APIError) {
                try await garden.patch(Shoot.self, shoot.name, namespace: shoot.namespace, ["metadata": change])
                return
            } catch {
                guard error.isConflict else { throw error }
            }
        }
    }
}
