package import TendrilCore

/// How long a stream goes on after whoever asked for it has left: for as long as the peer takes what was said before, and a
/// while longer for its end.
package struct Farewell: Sendable {
    /// How long nothing may happen.
    package static var patience: Nanoseconds { .seconds(10) }

    private var acknowledged: UInt64
    private var deadline: MonotonicTime

    /// Begins at `now`.
    package init(of machine: StreamMachine, at now: MonotonicTime) {
        (acknowledged, deadline) = (machine.acknowledged, now + Self.patience)
    }

    /// Whether nothing has happened for too long.
    package mutating func isOver(for machine: StreamMachine, at now: MonotonicTime) -> Bool {
        if machine.acknowledged > acknowledged { self = Farewell(of: machine, at: now) }
        return deadline <= now
    }
}
