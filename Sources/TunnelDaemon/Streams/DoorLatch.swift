import LinuxSystem
import Observability
import TendrilCore

/// Keeps a door shut for a moment when nobody can be let in, lest the kernel says again and again that somebody waits.
struct DoorLatch {
    private let respite: Nanoseconds
    /// When the door opens again; `nil` while it is open.
    private(set) var opensAt: MonotonicTime?

    /// Shuts for so long each time.
    init(respite: Nanoseconds = .milliseconds(50)) { self.respite = respite }

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
            core.limiter.log("could not accept: out of descriptors?", [:], to: core.logger, at: now)
            shut(listener.rawDescriptor, token, core, at: now)
            return nil
        }
    }

    /// Lets connections wait in the kernel, where they cost nothing.
    mutating func shut(_ listener: CInt, _ token: UInt64, _ core: ControlCore, at now: MonotonicTime) {
        opensAt = now + respite
        try? core.poller.rewatch(listener, for: [], token: token)
    }

    mutating func openIfDue(_ listener: CInt, _ token: UInt64, _ core: ControlCore, at now: MonotonicTime) {
        guard let opensAt, opensAt <= now else { return }
        self.opensAt = nil
        try? core.poller.rewatch(listener, for: .readable, token: token)
    }
}
