package import Glibc
package import TendrilCore

/// The clocks of the kernel.
package enum Clock {
    /// The monotonic clock now.
    @inline(__always)
    package static func now() -> MonotonicTime {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return MonotonicTime(nanoseconds: UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec))
    }

    /// Nanoseconds since the machine's boot, time asleep among them.
    static func sinceBoot() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_BOOTTIME, &time)
        return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
    }

    /// Seconds since 1970.
    package static func unixTime() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return UInt64(max(time.tv_sec, 0))
    }
}

extension Nanoseconds {
    /// The length as system calls and libevent take it: whole microseconds, what is less is left out.
    package var microseconds: timeval {
        timeval(tv_sec: Int(clamping: value / 1_000_000_000), tv_usec: Int(value % 1_000_000_000 / 1000))
    }
}

extension Task where Success == Never, Failure == Never {
    /// Waits for so long, or until the task is cancelled, which throws.
    package static func sleep(_ length: Nanoseconds) async throws { try await Self.sleep(nanoseconds: length.value) }
}
