package import TendrilCore

/// When every thread of the daemon was last seen to go on: written by the control loop, read by whoever asks for its health.
package final class Pulse: Sendable {
    /// A busy machine may keep a thread waiting for seconds.
    private static var patience: Nanoseconds { .seconds(10) }

    /// In nanoseconds of the monotonic clock.
    private let last = AtomicWords(count: 1)

    package init(at now: MonotonicTime) { beat(at: now) }

    /// Notes that the control loop turns, and that all workers do.
    package func beat(at now: MonotonicTime) { last.store(now.nanoseconds, at: 0) }

    /// Whether nothing stands still, as far as can be told; links that are down do not matter to it.
    package func isSteady(at now: MonotonicTime) -> Bool {
        now.since(MonotonicTime(nanoseconds: last.load(0))) < Self.patience
    }
}
