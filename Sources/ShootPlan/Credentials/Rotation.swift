package import ClusterModel
internal import TendrilCore

/// Where a shoot is in the exchange of its CAs and keys, which are all exchanged together.
///
/// A step is in force everywhere, on every node too, before the next one begins, so that nobody meets a credential that it
/// does not believe yet, or believes no longer.
package struct Rotation: Codable, Hashable, Sendable {
    /// The steps in their order.
    package enum Step: String, Codable, Sendable {
        /// There is one credential of each kind.
        case settled
        /// The new ones are believed; the old ones are used.
        case introduced
        /// The new ones are used, except by what people's kubeconfigs and pods look for; the old ones are believed.
        case moved
        /// The API server shows the new one, too.
        case served
    }

    /// How many were begun.
    package private(set) var number = 0
    package private(set) var step = Step.settled
    /// Whether everything and everybody was seen to be at this step.
    package private(set) var isInForce = true
    /// When it was begun, in seconds since 1970.
    package private(set) var startTime: UInt64?
    /// When it was completed, in seconds since 1970.
    package private(set) var completionTime: UInt64?

    package init() {}

    /// Finds the step again by the credentials that are there, where its record is lost.
    ///
    /// It is in force only where the status says that all was completed. `nil` where these credentials were never exchanged, or are
    /// of no step.
    ///
    /// - Parameters:
    ///   - own: of a kind that nobody looks for at the API server.
    ///   - served: of one that people and pods look for.
    ///   - told: what the status says.
    package init?(
        finding own: CredentialGenerations,
        _ served: CredentialGenerations,
        told: ShootStatus.CredentialRotation?
    ) {
        number = own.all.max() ?? 0
        isInForce = false
        guard number > 0 else { return nil }
        for candidate in [Step.settled, .introduced, .moved, .served] {
            step = candidate
            if generations(isServed: false) == own, generations(isServed: true) == served {
                if let told { recall(told) }
                return
            }
        }
        return nil
    }

    /// Takes over when it was begun, and when completed: that it is once more would make all that is older worthless.
    private mutating func recall(_ told: ShootStatus.CredentialRotation) {
        startTime = told.startTime.flatMap { KubernetesTime.seconds($0) }
        guard step == .settled, told.phase == .completed else { return }
        completionTime = told.completionTime.flatMap { KubernetesTime.seconds($0) }
        isInForce = completionTime != nil
    }

    /// What people are told; `nil` where there was none yet.
    package var phase: RotationPhase? {
        guard number > 0 else { return nil }
        switch step {
        case .introduced: return .preparing
        case .moved: return isInForce ? .prepared : .preparing
        case .served: return .completing
        case .settled: return isInForce ? .completed : .completing
        }
    }

    /// Whether new keys are used while the old ones are still there: then what the old ones made is made again.
    package var usesNewKeys: Bool { step == .moved || step == .served }

    /// Begins to exchange all credentials.
    ///
    /// - Parameter time: now, in seconds since 1970.
    /// - Returns: why not; `nil` where it has begun.
    package mutating func start(at time: UInt64) -> String? {
        guard step == .settled, isInForce else { return "a rotation is under way" }
        number += 1
        (step, isInForce, startTime, completionTime) = (.introduced, false, time, nil)
        return nil
    }

    /// Gives up the old credentials.
    ///
    /// - Returns: why not; `nil` where that has begun.
    package mutating func complete() -> String? {
        guard step == .moved, isInForce else { return "no rotation is prepared" }
        (step, isInForce) = (.served, false)
        return nil
    }

    /// Whether what a person asks for has begun, and nothing of it is done yet: to ask for it again changes nothing.
    package func hasBegun(_ operation: ShootOperation) -> Bool {
        switch operation {
        case .rotateStart: step == .introduced
        case .rotateComplete: step == .served
        case .reconcile, .retry, .restore: false
        }
    }

    /// Takes note that everything and everybody is at this step, and goes on to the next if that needs nobody's word.
    ///
    /// - Parameter time: now, in seconds since 1970.
    package mutating func reached(at time: UInt64) {
        switch step {
        case .introduced: step = .moved
        case .served: step = .settled
        case .moved: isInForce = true
        case .settled:
            if !isInForce { completionTime = time }
            isInForce = true
        }
    }

    /// Which credentials of a kind there are; each is known by the number of the rotation that brought it.
    ///
    /// - Parameter isServed: whether people and pods look for it at the API server, so that they need time to follow.
    /// - Returns: the one that is used, and one that is believed besides.
    package func generations(isServed: Bool) -> CredentialGenerations {
        let (old, new) = (number - 1, number)
        switch step {
        case .settled: return CredentialGenerations(used: new, other: nil)
        case .introduced: return CredentialGenerations(used: old, other: new)
        case .moved where isServed: return CredentialGenerations(used: old, other: new)
        case .moved, .served: return CredentialGenerations(used: new, other: old)
        }
    }
}

/// Which credentials of a kind there are at the same time.
package struct CredentialGenerations: Hashable, Sendable {
    /// The one that signs, encrypts or is shown.
    package var used: Int
    /// One that is believed besides.
    package var other: Int?

    package init(used: Int, other: Int?) { (self.used, self.other) = (used, other) }

    package var all: [Int] { [used] + (other.map { [$0] } ?? []) }
}
