import LinuxSystem
import Observability
import TendrilCore

/// Keeps a door shut for a moment when nobody can be let in, lest the kernel says again and again that somebody waits.
struct DoorLatch {
    private static var respite: Nanoseconds { .milliseconds(50) }

    private var opensAt: MonotonicTime?

    var isShut: Bool { opensAt != nil }

    /// The next connection that waits; the door is shut where it cannot be had.
    mutating func accept(
        at listener: borrowing StreamSocket,
        _ token: UInt64,
        _ core: ControlCore,
        at now: MonotonicTime
    ) -> CInt? {
        do throws(SystemError) {
            return try listener.accept()?.descriptor
        } catch {
            shut(listener.rawDescriptor, token, core, at: now)
            return nil
        }
    }

    /// Lets connections wait in the kernel.
    private mutating func shut(_ listener: CInt, _ token: UInt64, _ core: ControlCore, at now: MonotonicTime) {
        opensAt = now + Self.respite
        try? core.poller.rewatch(listener, for: [], token: token)
        core.limiter.log("could not accept: out of descriptors?", [:], to: core.logger, at: now)
    }

    mutating func openIfDue(_ listener: CInt, _ token: UInt64, _ core: ControlCore, at now: MonotonicTime) {
        guard let opensAt, opensAt <= now else { return }
        self.opensAt = nil
        try? core.poller.rewatch(listener, for: .readable, token: token)
    }
}
