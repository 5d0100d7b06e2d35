package import TendrilCore

/// Decides when a client dials which lane of one link, without input, output or a clock of its own.
///
/// A link begins with lane 0; the server's hello says how many there are to be. A lane that is asked to be renewed is
/// dialled anew while the old connection goes on.
package struct LinkMachine: Sendable {
    private struct Slot: Sendable {
        /// The connection in use.
        var generation: UInt64?
        var openedAt = MonotonicTime(nanoseconds: 0)
        var dialAt: MonotonicTime?
        var isDialling = false
        /// Whether what is being dialled is outdated already.
        var mustRenew = false
        var backoff = DialBackoff()
        /// When a connection that had held for a while was lost.
        var lostAt: MonotonicTime?
        /// Since when attempts lead to those who are linked already.
        var elsewhereSince: MonotonicTime?

        /// The wait after a failure, which stays short while streams wait for the lane, and for a while where another attempt may
        /// well lead to another instance; one that is missing for longer is not looked for without pause.
        mutating func retreat(at now: MonotonicTime, random: UInt64, wasElsewhere: Bool = false) -> Nanoseconds {
            if wasElsewhere, elsewhereSince == nil { elsewhereSince = now }
            let isAwaited = lostAt.map { now < $0 + StreamMachine.resumeTime } ?? false
            let isSought = wasElsewhere && elsewhereSince.map { now < $0 + LinkMachine.searchTime } ?? false
            let ceiling = isAwaited || isSought ? LinkMachine.briefCeiling : DialBackoff.ceiling
            return backoff.next(random: random, atMost: ceiling)
        }
    }

    /// How long a connection has to hold for the next one to be dialled at once.
    private static var steadyTime: Nanoseconds { .milliseconds(250) }
    /// The longest wait before jitter, in milliseconds, where the next attempt may well succeed.
    private static var briefCeiling: UInt64 { 1000 }
    /// For how long another instance is looked for at that pace.
    private static var searchTime: Nanoseconds { .seconds(30) }

    private var slots: [Slot]

    /// Begins with one lane that is to be dialled at once.
    package init(at now: MonotonicTime) {
        slots = [Slot(dialAt: now)]
    }

    /// How many lanes the link is to have.
    package var laneCount: Int { slots.count }

    /// How many lanes are up.
    package var liveCount: Int { slots.count { $0.generation != nil } }

    /// How many times in a row the first lane could not be opened.
    package var failures: Int { slots[0].backoff.failures }

    /// When `due` next has something to say.
    package var deadline: MonotonicTime? { slots.compactMap { $0.isDialling ? nil : $0.dialAt }.min() }

    /// The lanes to dial at `now`; each counts as being dialled from here on.
    package mutating func due(at now: MonotonicTime) -> [Int] {
        slots.indices.filter { index in
            guard let at = slots[index].dialAt, at <= now, !slots[index].isDialling else { return false }
            slots[index].isDialling = true
            return true
        }
    }

    /// Notes that a lane is up, and how many lanes the link is to have in all.
    package mutating func opened(_ lane: Int, generation: UInt64, lanes: Int, at now: MonotonicTime) {
        guard slots.indices.contains(lane) else { return }
        slots[lane].generation = generation
        slots[lane].openedAt = now
        slots[lane].elsewhereSince = nil
        slots[lane].isDialling = false
        slots[lane].dialAt = slots[lane].mustRenew ? now : nil
        slots[lane].mustRenew = false
        while slots.count < min(lanes, Hello.maximumLanes) { slots.append(Slot(dialAt: now)) }
    }

    /// Notes that dialling a lane failed; returns how long it will wait.
    ///
    /// - Parameters:
    ///   - lane: was being dialled.
    ///   - now: the time.
    ///   - random: evenly spread over all values of 64 bits.
    ///   - wasElsewhere: whether somebody answered who is linked already: another attempt may lead to another.
    /// - Returns: the wait.
    @discardableResult
    package mutating func failed(
        _ lane: Int,
        at now: MonotonicTime,
        random: UInt64,
        wasElsewhere: Bool = false
    ) -> Nanoseconds {
        guard slots.indices.contains(lane) else { return Nanoseconds(0) }
        let wait = slots[lane].retreat(at: now, random: random, wasElsewhere: wasElsewhere)
        slots[lane].isDialling = false
        slots[lane].dialAt = now + wait
        return wait
    }

    /// Notes that a connection ended; an outdated one changes nothing.
    ///
    /// A connection that had held for a while is dialled again at once, any other after a wait.
    package mutating func ended(_ lane: Int, generation: UInt64, at now: MonotonicTime, random: UInt64) {
        guard slots.indices.contains(lane), slots[lane].generation == generation else { return }
        slots[lane].generation = nil
        guard !slots[lane].isDialling else { return }
        if now.since(slots[lane].openedAt) > Self.steadyTime {
            slots[lane].backoff.reset()
            slots[lane].lostAt = now
            slots[lane].dialAt = now
        } else {
            slots[lane].dialAt = now + slots[lane].retreat(at: now, random: random)
        }
    }

    /// Dials a fresh connection for a lane, whether the old one lives or not.
    package mutating func renew(_ lane: Int, at now: MonotonicTime) {
        guard slots.indices.contains(lane) else { return }
        guard !slots[lane].isDialling else {
            slots[lane].mustRenew = true
            return
        }
        slots[lane].dialAt = slots[lane].dialAt.map { min($0, now) } ?? now
    }
}
