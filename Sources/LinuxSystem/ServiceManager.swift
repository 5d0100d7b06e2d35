import CTendrilShims
import Glibc
package import TendrilCore

/// Tells systemd how the service does (sd_notify(3): one datagram to $NOTIFY_SOCKET).
package struct ServiceManager: Sendable {
    private let path: String?
    /// How often the watchdog wants to hear from us, in milliseconds; `nil` where there is none.
    package let watchdogMilliseconds: Int?

    /// Reads the environment that systemd sets, once, and clears it for children.
    package init() {
        path = getenv("NOTIFY_SOCKET").map { String(cString: $0) }
        let period = getenv("WATCHDOG_USEC").flatMap { Int(String(cString: $0)) }
        watchdogMilliseconds = period.map { max($0 / 2000, 1) }
        unsetenv("NOTIFY_SOCKET")
        unsetenv("WATCHDOG_USEC")
        unsetenv("WATCHDOG_PID")
    }

    /// Says that the service ends, and how long it may need for that, whatever its unit says (sd_notify(3), EXTEND_TIMEOUT_USEC).
    package func stopping(within time: Nanoseconds) {
        notify("STOPPING=1\nEXTEND_TIMEOUT_USEC=\(time.value / 1000)")
    }

    /// Sends assignments such as `READY=1`; nothing happens outside systemd.
    package func notify(_ state: String) {
        guard let path, let address = SocketAddress(path: path) else { return }
        let number = socket(AF_UNIX, CInt(SOCK_DGRAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
        guard number >= 0 else { return }
        let owned = OwnedDescriptor(owning: number)
        let bytes = Array(state.utf8)
        _ = address.withPointer { pointer, length in
            // A systemd that does not read must not hold this side up.
            sendto(owned.rawValue, bytes, bytes.count, CInt(MSG_NOSIGNAL) | CInt(MSG_DONTWAIT), pointer, length)
        }
    }
}
