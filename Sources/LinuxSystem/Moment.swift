import Glibc

/// A moment that is found again on the wall clock after that was set, forwards or back.
package struct Moment: Codable, Hashable, Sendable {
    /// Seconds since 1970, as the wall clock said then.
    package let unixTime: UInt64
    /// Which boot it is of (boot_id of random(4)); empty where the kernel does not say.
    package let boot: String
    /// Nanoseconds since that boot, time asleep among them (CLOCK_BOOTTIME of clock_gettime(2)).
    package let nanoseconds: UInt64

    package init(unixTime: UInt64, boot: String, nanoseconds: UInt64) {
        (self.unixTime, self.boot, self.nanoseconds) = (unixTime, boot, nanoseconds)
    }

    package static func now() -> Moment {
        let identifier = (try? DurableFile.read("/proc/sys/kernel/random/boot_id", limit: 64)) ?? []
        return Moment(
            unixTime: Clock.unixTime(),
            boot: String(decoding: identifier.prefix { $0 != 0x0A }, as: UTF8.self),
            nanoseconds: Clock.sinceBoot()
        )
    }

    /// The earliest that the wall clock may have said, or would say as it goes now, of what happened since then.
    ///
    /// - Parameter now: a later moment, by which the clock is read.
    /// - Returns: seconds since 1970; for a moment of another boot not later than the begin of that of `now`.
    package func earliest(asOf now: Moment = .now()) -> UInt64 {
        let before = now.boot == boot ? min(nanoseconds, now.nanoseconds) : 0
        let age = (now.nanoseconds - before) / 1_000_000_000
        return min(unixTime, now.unixTime - min(age, now.unixTime))
    }
}
