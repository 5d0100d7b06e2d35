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
    /// Whether it has failed, and the control plane has yet to start with the data of before; `nil` where not.
    private var isStopped: Bool?

    /// Since when the data of before is out of use, at the earliest, in seconds since 1970; `nil` where nothing was restored before.
    private var parkTime: UInt64?

    /// What the data of before the last restoration is called in the place of a snapshot's name.
    package static let former = "before"

    /// Begins.
    ///
    /// - Parameters:
    ///   - snapshot: what is restored.
    ///   - time: now, in seconds since 1970.
    ///   - earlier: the shoot's last restoration.
    package init(_ snapshot: StoredSnapshot, at time: UInt64, after earlier: Restoration? = nil) {
        self.init(snapshot.name, size: snapshot.size, at: time, after: earlier)
    }

    /// Begins the way back to the data of before a restoration, at a moment in seconds since 1970.
    package init(backTo earlier: Restoration, at time: UInt64) {
        self.init(Self.former, size: 0, at: time, after: earlier)
    }

    private init(_ snapshot: String, size: Int, at time: UInt64, after earlier: Restoration?) {
        (self.snapshot, self.size) = (snapshot, size)
        // Also where the clock was set back, and of two in a second.
        startTime = max(time, (earlier?.startTime ?? 0) &+ 1)
        parkTime = earlier.map { $0.parkTime ?? $0.startTime }
    }

    /// Finds one again by what a status says of it, where its record is lost; `nil` where its beginning is no time.
    ///
    /// - Parameters:
    ///   - told: what the status says.
    ///   - size: of its snapshot in bytes; 0 where that is not known.
    package init?(finding told: ShootStatus.Restoration, size: Int) {
        guard let start = KubernetesTime.seconds(told.startTime) else { return nil }
        (snapshot, self.size, startTime, phase) = (told.snapshot, size, start, told.phase)
        completionTime = told.completionTime.flatMap { KubernetesTime.seconds($0) }
        (message, isStopped) = (told.message, told.isStopped)
        // Where it has put nothing in place the data of before is of an earlier one, however old.
        parkTime = [.starting, .completed].contains(phase) ? start : 0
    }

    /// Whether it leads back to the data of before the last one.
    package var isBack: Bool { snapshot == Self.former }

    /// So many revisions are passed over: more with every second, so that also what is restored from before the last
    /// restoration comes to lie beyond what was seen since; a cluster writes some thousands a second at most.
    package var revisions: UInt64 { startTime &* 100_000 }

    /// The data is the snapshot's.
    package mutating func replaced() { if phase == .replacing { (phase, parkTime) = (.starting, startTime) } }

    /// All is well with it, at a moment in seconds since 1970.
    package mutating func completed(at time: UInt64) {
        if phase == .starting { (phase, completionTime) = (.completed, time) }
    }

    /// The data stays what it was, at a moment in seconds since 1970; why.
    package mutating func failed(at time: UInt64, _ reason: String) {
        guard phase == .replacing else { return }
        (phase, completionTime, message, isStopped) = (.failed, time, String(reason.prefix(1000)), true)
    }

    /// A whole flow was done since it failed, so that the control plane is as it is wanted.
    package mutating func passed() { isStopped = nil }

    /// What the status says.
    package var told: ShootStatus.Restoration {
        ShootStatus.Restoration(
            snapshot: snapshot,
            phase: phase,
            startTime: KubernetesTime.text(seconds: startTime),
            completionTime: completionTime.map { KubernetesTime.text(seconds: $0) },
            message: message,
            isStopped: isStopped
        )
    }

    /// Why a shoot's etcd cannot be restored now; `nil` where it can.
    ///
    /// - Parameters:
    ///   - shoot: as it is wanted.
    ///   - records: what was done for it.
    ///   - snapshot: what is to be restored; `nil` where there is none of that name.
    /// - Returns: the reason.
    package static func refusal(of shoot: Shoot, _ records: FlowRecords, from snapshot: StoredSnapshot?) -> String? {
        if let refusal = refusal(of: shoot, records) { return refusal }
        guard let snapshot else { return "there is no such snapshot" }
        return refusal(records, ofDataSince: snapshot.time, "the snapshot \(snapshot.name)")
    }

    /// Why a shoot's etcd cannot get the data of before its last restoration; `nil` where it can.
    ///
    /// - Parameters:
    ///   - shoot: as it is wanted.
    ///   - records: what was done for it.
    /// - Returns: the reason.
    package static func refusalOfWayBack(of shoot: Shoot, _ records: FlowRecords) -> String? {
        if let refusal = refusal(of: shoot, records) { return refusal }
        guard let last = records.restoration else { return "nothing was ever restored" }
        return refusal(records, ofDataSince: last.parkTime ?? last.startTime, "the data of before")
    }

    /// One that has put its data in place may have brought what does not start: the way out is another one.
    private static func refusal(of shoot: Shoot, _ records: FlowRecords) -> String? {
        if shoot.isHibernated { return "the shoot sleeps" }
        if records.restoration?.phase == .replacing { return "a restoration is under way" }
        let rotation = records.rotation ?? Rotation()
        return rotation.isInForce && rotation.step == .settled ? nil : "a rotation of credentials is under way"
    }

    /// Older data has Secrets that the key of now does not open, and tokens and certificates that nobody believes any more.
    private static func refusal(_ records: FlowRecords, ofDataSince time: UInt64, _ what: String) -> String? {
        guard let end = records.rotation?.completionTime, time <= end else { return nil }
        return "\(what) is older than the last rotation of credentials"
    }
}
