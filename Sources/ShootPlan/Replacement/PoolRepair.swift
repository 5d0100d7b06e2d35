package import ClusterModel

/// Which machine of a pool is ended because it does not become a Node, so that another one comes in its place.
///
/// One at a time, each after a longer time than the one before, and not for ever: what is wrong with machine after machine
/// is rarely the machine.
package struct PoolRepair: Codable, Hashable, Sendable {
    /// One step.
    package enum Step: Hashable, Sendable {
        /// There is nothing to do now.
        case none
        /// This machine ends, which was waited for so many seconds; another one comes in its place.
        case end(machine: String, after: UInt64)
        /// No other machine is ended before somebody changes something; this is said once.
        case giveUp
    }

    /// So long the first machine may take to become a Node, in seconds; each further one twice as long as the one before.
    package static let patience: UInt64 = 900
    /// So many are ended without the pool having become whole.
    package static let most = 3

    /// Since when each machine without a Node was seen, in seconds since 1970.
    package private(set) var waiting: [String: UInt64] = [:]
    /// How many were ended since the pool was whole.
    package private(set) var ended = 0
    /// When the last of them was, in seconds since 1970.
    package private(set) var last: UInt64?
    private var hasGivenUp = false
    /// Which wish of the Shoot's owner all of this is about.
    private var generation: Int?

    package init() {}

    /// Takes what is seen now, and says what to do; what is to be ended counts as ended from here on.
    ///
    /// - Parameters:
    ///   - machines: those that never were a Node, each with when it first said something of itself, in seconds since 1970;
    ///     `nil` for one that says nothing.
    ///   - isWhole: whether every machine that the pool is to have is a Node.
    ///   - generation: of the Shoot; another one may mend what was wrong.
    ///   - now: in seconds since 1970.
    /// - Returns: the next step.
    package mutating func next(_ machines: [String: UInt64?], isWhole: Bool, generation: Int?, at now: UInt64) -> Step {
        if isWhole { self = PoolRepair() }
        if generation != self.generation {
            let isAnotherWish = self.generation != nil
            self = PoolRepair()
            // Those that wait have their time again.
            (self.generation, last) = (generation, isAnotherWish ? now : nil)
        }
        // Whoever says a time to come does not live for ever by that.
        waiting = Dictionary(
            uniqueKeysWithValues: machines.map { name, start in (name, min(waiting[name] ?? now, start ?? now)) }
        )
        guard let (name, since) = waiting.min(by: { ($0.value, $0.key) < ($1.value, $1.key) }) else { return .none }
        guard ended < Self.most else {
            defer { hasGivenUp = true }
            return hasGivenUp ? .none : .giveUp
        }
        let patience = Self.patience << UInt64(ended)
        // The one that came in place of the last gets as long as it would have had.
        guard now >= max(since, last ?? 0) + patience else { return .none }
        waiting[name] = nil
        (ended, last) = (ended + 1, now)
        return .end(machine: name, after: now - since)
    }

    /// Whether nothing more is done before somebody changes something, or the pool becomes whole.
    package func isResting(generation: Int?) -> Bool { hasGivenUp && generation == self.generation }

    /// Whether there is anything to remember.
    package var isIdle: Bool { waiting.isEmpty && ended == 0 }
}

extension NodeBootstrap {
    /// Whether its machine never was a Node, beside the names of all Nodes; one that was has lost it, and nobody but its
    /// owner knows why.
    package func isUnborn(beside nodes: Set<String>) -> Bool {
        !nodes.contains(name) && status?.phase != .done
    }
}
