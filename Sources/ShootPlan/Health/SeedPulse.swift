package import ClusterModel
package import TendrilCore

/// Which seeds are no longer heard of, as somebody sees it who only compares what they write: nobody's clock has to agree
/// with another's.
package struct SeedPulse: Sendable {
    private struct Beat {
        var stamp: String?
        var seen: MonotonicTime
    }

    /// For how long a seed may be silent.
    package static let patience = Nanoseconds.seconds(90)

    /// After a longer pause between two looks the garden itself was away, and nobody could write: time begins anew.
    private static let longestPause = Nanoseconds.seconds(60)

    private var beats: [String: Beat] = [:]
    private var lastLook: MonotonicTime?

    package init() {}

    /// Takes what the garden says now.
    ///
    /// - Parameters:
    ///   - seeds: all of them.
    ///   - now: by the own monotonic clock.
    /// - Returns: the names of those that have been silent for too long since this looks at them.
    package mutating func silent(_ seeds: [Seed], at now: MonotonicTime) -> Set<String> {
        if let lastLook, now.since(lastLook) > Self.longestPause { beats = [:] }
        lastLook = now
        var next: [String: Beat] = [:]
        for seed in seeds {
            let stamp = seed.status?.conditions?[Seed.ready]?.lastHeartbeatTime
            let known = beats[seed.name]
            next[seed.name] =
                known.map { $0.stamp == stamp ? $0 : Beat(stamp: stamp, seen: now) } ?? Beat(stamp: stamp, seen: now)
        }
        beats = next
        return Set(beats.filter { now.since($0.value.seen) > Self.patience }.keys)
    }
}

extension ShootCondition {
    /// What is said of a shoot whose seed is silent: nobody knows how it is.
    ///
    /// - Parameter seed: its name.
    /// - Returns: all conditions.
    package static func unknown(seed: String) -> [Condition] {
        allCases.map {
            Condition(
                $0.rawValue,
                status: "Unknown",
                reason: "SeedSilent",
                message: "nothing is heard of the seed \(seed); the cluster may work all the same"
            )
        }
    }
}
