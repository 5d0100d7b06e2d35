package import TendrilCore

/// How much may wait before a lane: about 20 ms of the rate that the lane was seen to reach.
package struct QueueLimit: Sendable {
    /// The least that may wait in bytes: a few super-packets, whatever the rate.
    package static var floor: Int { 1024 * 1024 }
    /// The most that may wait in bytes: what bounds memory.
    package static var ceiling: Int { 4 * 1024 * 1024 }

    private var since: MonotonicTime
    private var sent = 0
    /// The bytes per second of the busiest recent tenth of a second.
    package private(set) var rate = 0

    package init(at now: MonotonicTime) { since = now }

    /// Notes bytes that the lane took while it was backlogged.
    package mutating func note(sent count: Int) { sent &+= count }

    /// Closes the current measurement when a tenth of a second has gone by, and returns whether it did.
    package mutating func advance(to now: MonotonicTime, isBacklogged: Bool) -> Bool {
        let elapsed = now.since(since).value
        guard elapsed >= 100_000_000 else { return false }
        let measured = Int(Double(sent) / Double(elapsed) * 1e9)
        // A lane that had nothing to send says nothing about what it could take.
        if measured > rate || isBacklogged { rate = measured > rate ? measured : (rate * 7 + measured) / 8 }
        (since, sent) = (now, 0)
        return true
    }

    /// The bytes that may wait; all that memory allows until a rate is known.
    package var bytes: Int { rate == 0 ? Self.ceiling : min(max(rate / 50, Self.floor), Self.ceiling) }

    /// The bytes that may stand unsent in the kernel: about 2 ms, but two records at least.
    package var unsentBytes: Int { min(max(rate / 500, 32 * 1024), Self.ceiling) }

    /// The limits of CoDel: a single super-packet of a slow lane is no standing queue.
    package var parameters: CoDel.Parameters {
        let one = rate > 0 ? UInt64(Double(64 * 1024) / Double(rate) * 1e9) : 0
        let target = max(.milliseconds(5), Nanoseconds(min(one * 2, 100_000_000)))
        return CoDel.Parameters(target: target, interval: max(.milliseconds(100), Nanoseconds(target.value * 5)))
    }
}
