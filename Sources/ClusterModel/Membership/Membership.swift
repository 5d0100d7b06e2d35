package import TendrilCore

/// Shares keys among processes by the Lease that each keeps for itself; without input or output.
///
/// Every key has one owner, by rendezvous hashing: who comes takes its part of each other's keys, who goes leaves its own
/// to the others, and nothing else moves. Whatever two members have heard of each other, they never own a key at the same
/// moment:
/// - who has not renewed its Lease and read all others within `patience` owns nothing, and never again if it was late;
/// - a Lease counts as given up once it was seen unchanged for `duration`, which is longer. No clock of another machine is
///   believed;
/// - who comes owns nothing before each of the others has said in its Lease that it has let go of what is not its own any
///   more, or `duration` has passed.
package struct Membership: Sendable {
    /// How long a Lease is good for after its last renewal.
    package static let duration = Nanoseconds.seconds(20)
    /// After how long without a renewal a member stops: earlier than others may begin.
    package static let patience = Nanoseconds.seconds(8)
    /// How long a request that changes something may take: one that was sent in the last moment is given up before others
    /// begin.
    package static let requestLimit = Nanoseconds.seconds(10)
    /// How often a member renews its Lease and reads the others.
    package static let period = Nanoseconds.seconds(2)

    /// What one member's Lease says.
    package struct Record: Hashable, Sendable {
        /// Different for every process that ever was.
        package var identity: String
        /// Changes with each renewal.
        package var version: String
        /// For whose sake the member has let go of what is theirs.
        package var acknowledged: Set<String>

        package init(identity: String, version: String, acknowledged: Set<String>) {
            (self.identity, self.version, self.acknowledged) = (identity, version, acknowledged)
        }
    }

    private struct Sight {
        var version: String
        var since: MonotonicTime
    }

    package let identity: String
    /// The others that are alive, as far as was seen.
    package private(set) var others: Set<String> = []
    /// Whether this member takes part; before that it owns nothing.
    package private(set) var hasBegun = false
    /// Whether its time ran out, or its Lease was taken away: it owns nothing any more, and has to come back as another one.
    package private(set) var isLost = false
    /// For whose sake this side has let go; what its Lease is to say.
    package private(set) var acknowledged: Set<String> = []
    private var sights: [String: Sight] = [:]
    private var joined: MonotonicTime?
    private var renewed: MonotonicTime?
    private var looked: MonotonicTime?

    /// Begins as a stranger.
    package init(identity: String) { self.identity = identity }

    /// A renewal of the own Lease that was begun at one moment was answered as taken at another.
    package mutating func wrote(begun: MonotonicTime, now: MonotonicTime) {
        // An answer that came too late may have been overtaken by others who saw nothing.
        if let renewed, now > renewed + Self.patience { isLost = true }
        if joined == nil { joined = now }
        renewed = begun
    }

    /// The own Lease is gone, somebody else's, or was there before this side knew of it: what others said for its sake may
    /// be out of date.
    package mutating func wasRobbed() { isLost = true }

    /// Takes all Leases as they were read, the own one too, in a request that was begun at one moment and answered at another.
    package mutating func saw(_ records: [Record], begun: MonotonicTime, now: MonotonicTime) {
        var seen: [String: Sight] = [:]
        for record in records {
            let known = sights[record.identity]
            seen[record.identity] =
                known?.version == record.version ? known : Sight(version: record.version, since: now)
        }
        sights = seen
        let alive = records.filter { $0.identity != identity && !isStill($0.identity, for: Self.duration, at: now) }
        others = Set(alive.map(\.identity))
        if let joined, begun >= joined {
            looked = begun
            let isKnownToAll = alive.allSatisfy { $0.acknowledged.contains(identity) }
            if isKnownToAll || now >= joined + Self.duration { hasBegun = true }
        }
    }

    /// This side has let go of what belongs to these, as they were read.
    package mutating func letGo(for members: Set<String>) { acknowledged = members }

    /// Whether a Lease was seen unchanged for this long.
    package func isStill(_ identity: String, for time: Nanoseconds, at now: MonotonicTime) -> Bool {
        sights[identity].map { now >= $0.since + time } ?? false
    }

    /// Whether a key is this member's among those that it sees.
    package func isOwner(of key: String) -> Bool {
        guard hasBegun, !isLost else { return false }
        let own = Self.weight(identity, key)
        return others.allSatisfy { other in
            let weight = Self.weight(other, key)
            return weight < own || weight == own && other < identity
        }
    }

    /// Whether this member may act for a key now.
    package func mayAct(for key: String, at now: MonotonicTime) -> Bool { isInTime(now) && isOwner(of: key) }

    /// Whether what this member knows is fresh enough to act by.
    package func isInTime(_ now: MonotonicTime) -> Bool {
        guard !isLost, let renewed, let looked else { return false }
        return now < min(renewed, looked) + Self.patience
    }

    private static func weight(_ member: String, _ key: String) -> UInt64 { TextHash.value("\(member)\u{0}\(key)") }
}
