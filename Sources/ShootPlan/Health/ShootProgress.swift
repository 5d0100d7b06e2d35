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

    /// How far it is from being what its `generation` says, with nothing left that somebody has asked for.
    ///
    /// - Parameters:
    ///   - shoot: as it is now.
    ///   - generation: of what somebody wanted.
    ///   - earlier: what had become of the shoot when that was said (`ShootPast`): a failure that was there already
    ///     says nothing of it.
    package init(_ shoot: Shoot, until generation: Int, since earlier: ShootStatus.Operation? = nil) {
        let isDone =
            shoot.status?.lastOperation?.state == .succeeded && shoot.status?.observedGeneration ?? 0 >= generation
            && shoot.operation == nil && !shoot.isBeingDeleted
        self.init(shoot, isDone: isDone, generation, earlier)
    }

    /// How far the exchange of its credentials is from a phase.
    ///
    /// - Parameters:
    ///   - shoot: as it is now.
    ///   - goal: the phase.
    ///   - past: how far it was when its next step was asked for; `nil` where there was none.
    ///   - earlier: as above.
    package init(
        _ shoot: Shoot,
        untilRotationIs goal: RotationPhase,
        after past: ShootStatus.CredentialRotation?,
        since earlier: ShootStatus.Operation? = nil
    ) {
        let rotation = shoot.status?.credentialRotation
        let isDone = rotation?.phase == goal && shoot.operation == nil
        self.init(shoot, isDone: isDone, shoot.metadata.generation ?? 0, earlier)
        let wasUnderWay = past?.phase == .preparing || past?.phase == .completing
        // The wish goes once the step is told.
        if self == .underWay, shoot.operation == nil, rotation == past, !wasUnderWay { self = .refused(shoot) }
    }

    /// How far the restoration is that was asked for.
    ///
    /// - Parameters:
    ///   - shoot: as it is now.
    ///   - earlier: the last restoration when it was asked for; `nil` where there was none.
    package init(_ shoot: Shoot, restoringAfter earlier: ShootStatus.Restoration?) {
        let restoration = shoot.status?.restoration
        if let restoration, restoration.startTime != earlier?.startTime {
            switch restoration.phase {
            case .completed: self = .done
            case .failed: self = .failed(restoration.message ?? "the restoration failed")
            case .replacing, .starting: self = .waiting(for: shoot)
            }
        } else if shoot.operation != nil {
            self = .waiting(for: shoot)
        } else {
            // The wish goes once the restoration is told.
            self = .refused(shoot)
        }
    }

    private static func refused(_ shoot: Shoot) -> ShootProgress {
        .failed("it was refused; why: kubectl -n \(shoot.namespace) get events")
    }

    private static func waiting(for shoot: Shoot) -> ShootProgress {
        if let notice = shoot.pauseNotice { .paused(notice) } else { .underWay }
    }

    /// How far it is from where it stays as it is until somebody wants something else.
    package init(ofRest shoot: Shoot) {
        let progress = ShootProgress(shoot, until: shoot.metadata.generation ?? 0)
        let phase = shoot.status?.credentialRotation?.phase
        let isRotating = phase == .preparing || phase == .completing
        let isRestoring = shoot.status?.restoration.map { !$0.phase.isOver } ?? false
        self = progress == .done && !shoot.isHibernated && (isRotating || isRestoring) ? .underWay : progress
    }

    /// Judges by whether it is done, and whether a failure that it tells of counts: an older one is to be mended.
    private init(_ shoot: Shoot, isDone: Bool, _ generation: Int, _ earlier: ShootStatus.Operation?) {
        let operation = shoot.status?.lastOperation
        if isDone {
            self = .done
        } else if let notice = shoot.pauseNotice {
            self = .paused(notice)
        } else if let operation, operation.state == .failed, operation != earlier,
            operation.generation ?? generation >= generation
        {
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
