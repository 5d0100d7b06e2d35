package import TendrilCore

/// How long to wait between attempts: doubling from a start to a limit, each time up to half of it at random.
package struct Backoff: Sendable {
    private let start: UInt64
    private let limit: UInt64
    private var next: UInt64

    /// Waits from about `start` up to about `limit`.
    package init(start: Nanoseconds = .milliseconds(500), limit: Nanoseconds = .seconds(60)) {
        (self.start, self.limit, next) = (start.value, limit.value, start.value)
    }

    /// The next wait; at least `minimum`.
    package mutating func wait(
        atLeast minimum: Nanoseconds = Nanoseconds(0),
        using generator: inout some RandomNumberGenerator
    ) -> Nanoseconds {
        let jittered = next / 2 + UInt64.random(in: 0...max(next / 2, 1), using: &generator)
        next = min(next.multipliedReportingOverflow(by: 2).partialValue, limit)
        return Nanoseconds(max(jittered, minimum.value))
    }

    /// The next wait.
    package mutating func wait(atLeast minimum: Nanoseconds = Nanoseconds(0)) -> Nanoseconds {
        var generator = SystemRandomNumberGenerator()
        return wait(atLeast: minimum, using: &generator)
    }

    /// Begins again, after a success.
    package mutating func reset() { next = start }
}
