package import TendrilCore

/// How long to wait before dialling again: from 100 ms, doubling to 10 s, with jitter.
package struct DialBackoff: Sendable {
    /// The longest wait before jitter.
    package static var ceiling: UInt64 { 10_000 }
    /// The first wait before jitter, in milliseconds.
    package static var floor: UInt64 { 100 }

    /// How many attempts have failed in a row.
    package private(set) var failures = 0

    package init() {}

    /// Notes a failure and returns the wait: between a quarter and three quarters of the current step.
    ///
    /// - Parameters:
    ///   - random: evenly spread over all values of 64 bits.
    ///   - ceiling: the longest wait before jitter, in milliseconds.
    /// - Returns: how long to wait.
    package mutating func next(random: UInt64, atMost ceiling: UInt64 = Self.ceiling) -> Nanoseconds {
        let step = min(Self.floor << UInt64(min(failures, 10)), ceiling) * 1_000_000
        failures += 1
        return Nanoseconds(step / 4 + random % (step / 2))
    }

    /// Notes a success.
    package mutating func reset() { failures = 0 }
}
