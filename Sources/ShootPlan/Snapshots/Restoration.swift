package import ClusterModel

/// Where a shoot's etcd is on the way back to what a snapshot holds.
package struct Restoration: Codable, Hashable, Sendable {
    /// The snapshot's name.
    package let snapshot: String
    /// Its size in bytes.
    package let size: Int
    /// When it was begun, in seconds since 1970; no other one of the shoot has the same.
    package let startTime: UInt64
    package private(set) var phase = RestorationPhase.replacing
    /// When it ended, in seconds since 1970.
    package private(set) var completionTime: UInt64?
    /// Why it failed.
    package private(set) var message: String?

    /// Begins.
    ///
    /// - Parameters:
    ///   - snapshot: what is restored.
    ///   - time: now, in seconds since 1970.
    package init(_ snapshot: StoredSnapshot, at time: UInt64) {
        (self.snapshot, size, startTime) = (snapshot.name, snapshot.size, time)
    }

    /// So many revisions are passed over: more with every second, so that also what is restored from before the last
    /// restoration comes to lie beyond what was seen since; a cluster writes some thousands a second at most.
    package var revisions: UInt64 { startTime &* 100_000 }

    /// The data is the snapshot's.
    package mutating func replaced() { if phase == .replacing { phase = .starting } }

    /// All is well with it, at a moment in seconds since 1970.
    package mutating func completed(at time: UInt64) {
        if phase == .starting { (phase, completionTime) = (.completed, time) }
    }

    /// The data stays what it was, at a moment in seconds since 1970; why.
    package mutating func failed(at time: UInt64, _ reason: String) {
        if phase == .replacing { (phase, completionTime, message) = (.failed, time, String(reason.prefix(1000))) }
    }

    /// What the status says.
    package var told: ShootStatus.Restoration {
        ShootStatus.Restoration(
            snapshot: snapshot,
            phase: phase,
            startTime: KubernetesTime.text(seconds: startTime),
            completionTime: completionTime.map { KubernetesTime.text(seconds: $0) },
            message: message
        )
    }

    /// Why a shoot's etcd cannot be restored now; `nil` where it can.
    ///
    /// - Parameters:
    ///   - shoot: as it is wanted.
    ///   - records: what was done for it.
    ///   - snapshot: what is to be restored; `nil` where there is none of that name.
    package static func refusal(of shoot: Shoot, _ records: FlowRecords, from snapshot: StoredSnapshot?) -> String? {
        if shoot.isHibernated { return "the shoot sleeps" }
        if records.restoration.map({ !$0.phase.isOver }) == true { return "a restoration is under way" }
        let rotation = records.rotation ?? Rotation()
        if !rotation.isInForce || rotation.step != .settled { return "a rotation of credentials is under way" }
        guard let snapshot else { return "there is no such snapshot" }
        // It holds Secrets that the key of now does not open, and tokens and certificates that nobody believes any more.
        if let end = rotation.completionTime, snapshot.time <= end {
            return "the snapshot \(snapshot.name) is older than the last rotation of credentials"
        }
        return nil
    }
}
