import CTendrilShims
import Glibc

/// Wakes another thread out of its poller (eventfd).
package struct WakeUp: ~Copyable, Sendable {
    private let event: OwnedDescriptor

    package init() throws(SystemError) {
        let result = eventfd(0, CInt(EFD_CLOEXEC | EFD_NONBLOCK))
        guard result >= 0 else { throw SystemError("create an eventfd", code: errno) }
        event = OwnedDescriptor(owning: result)
    }

    /// The descriptor to watch for reading.
    package var descriptor: CInt { event.rawValue }

    /// Makes the descriptor readable; any thread may call it.
    package func signal() { _ = eventfd_write(event.rawValue, 1) }

    /// Makes the descriptor unreadable again.
    package func clear() {
        var value: eventfd_t = 0
        _ = eventfd_read(event.rawValue, &value)
    }
}
