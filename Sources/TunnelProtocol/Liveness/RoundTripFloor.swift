package import TendrilCore

/// The shortest round trip of the last one to two minutes: what the path takes, without what waits in queues.
package struct RoundTripFloor: Sendable {
    private static var period: Nanoseconds { .seconds(60) }

    private var current: Nanoseconds?
    private var previous: Nanoseconds?
    private var since: MonotonicTime

    package init(at now: MonotonicTime) { since = now }

    /// The floor; `nil` before the first round trip.
    package var value: Nanoseconds? {
        guard let current, let previous else { return current ?? previous }
        return min(current, previous)
    }

    /// Notes a round trip.
    package mutating func note(_ roundTrip: Nanoseconds, at now: MonotonicTime) {
        if now >= since + Self.period { (previous, current, since) = (current, nil, now) }
        current = current.map { min($0, roundTrip) } ?? roundTrip
    }
}
