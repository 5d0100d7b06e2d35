package import ClusterModel

/// How far a shoot is from what somebody wanted of it.
package enum ShootProgress: Hashable, Sendable {
    /// It is as it was wanted.
    case done
    /// It comes nearer by itself.
    case underWay
    /// It does not come nearer before somebody resumes it; how.
    case paused(String)
    /// It does not come nearer before somebody changes it; why.
    case failed(String)

    /// How far it is from being what its `generation` says.
    package init(_ shoot: Shoot, until generation: Int) {
        let operation = shoot.status?.lastOperation
        self.init(
            shoot,
            isDone: operation?.state == .succeeded && shoot.status?.observedGeneration ?? 0 >= generation,
            // An older failure is what this change is to mend.
            counts: operation?.generation ?? generation >= generation
        )
    }

    /// How far the exchange of its credentials is from this phase.
    package init(_ shoot: Shoot, untilRotationIs goal: RotationPhase) {
        let isDone = shoot.status?.credentialRotation?.phase == goal && shoot.operation == nil
        self.init(shoot, isDone: isDone, counts: true)
    }

    /// Judges by whether it is done, and whether a failure that it tells of counts.
    private init(_ shoot: Shoot, isDone: Bool, counts: Bool) {
        if isDone {
            self = .done
        } else if let notice = shoot.pauseNotice {
            self = .paused(notice)
        } else if counts, let operation = shoot.status?.lastOperation, operation.state == .failed {
            self = .failed(operation.description)
        } else {
            self = .underWay
        }
    }
}

extension Shoot {
    /// That nothing is done for it, and how that ends; `nil` where something is, as for one that is being deleted.
    package var pauseNotice: String? {
        guard isPaused, !isBeingDeleted else { return nil }
        return """
            shoot \(key) is paused (annotation \(ShootAnnotation.pause)=true): what is wanted of it is kept, and nothing is done \
            until it is resumed: kubectl -n \(namespace) annotate shoot \(name) \(ShootAnnotation.pause)-
            """
    }
}
