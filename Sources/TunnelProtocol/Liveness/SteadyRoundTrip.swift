package import TendrilCore

/// A round trip by which paths are compared: smoothed, and with a hysteresis, so that what only trembles changes no order.
package struct SteadyRoundTrip: Sendable {
    /// Less than this in nanoseconds is never followed, so that short paths do not tremble either.
    private static var grain: UInt64 { 1_000_000 }

    private var smoothed: UInt64?
    private var settled: UInt64?

    package init() {}

    /// The round trip; `nil` before the first one was measured.
    package var value: Nanoseconds? { settled.map { Nanoseconds($0) } }

    /// Notes a round trip: an eighth of it counts (RFC 6298, section 2), and the value follows once it is a quarter off.
    package mutating func note(_ roundTrip: Nanoseconds) {
        let average = smoothed.map { $0 - $0 / 8 + roundTrip.value / 8 } ?? roundTrip.value
        smoothed = average
        guard let settled else { return self.settled = average }
        let distance = max(average, settled) - min(average, settled)
        if distance >= max(settled / 4, Self.grain) { self.settled = average }
    }
}
