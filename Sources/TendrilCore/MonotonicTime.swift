/// A moment on a clock that never goes back, in nanoseconds since an arbitrary start (CLOCK_MONOTONIC).
package struct MonotonicTime: Hashable, Comparable, Sendable {
    package let nanoseconds: UInt64

    @inlinable
    package init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

    /// How long ago `earlier` was, in nanoseconds; zero when it lies ahead.
    @inlinable
    package func since(_ earlier: MonotonicTime) -> UInt64 {
        nanoseconds > earlier.nanoseconds ? nanoseconds &- earlier.nanoseconds : 0
    }

    /// Whole seconds since the clock's start.
    @inlinable package var seconds: UInt64 { nanoseconds / 1_000_000_000 }

    @inlinable
    package static func < (left: MonotonicTime, right: MonotonicTime) -> Bool { left.nanoseconds < right.nanoseconds }

    /// A later moment; it stops at the end of the clock.
    @inlinable
    package static func + (left: MonotonicTime, right: Nanoseconds) -> MonotonicTime {
        let (sum, overflow) = left.nanoseconds.addingReportingOverflow(right.value)
        return MonotonicTime(nanoseconds: overflow ? .max : sum)
    }
}

/// A length of time.
package struct Nanoseconds: Hashable, Comparable, Sendable {
    package let value: UInt64

    @inlinable
    package init(_ value: UInt64) { self.value = value }

    @inlinable package static func milliseconds(_ count: UInt64) -> Nanoseconds { Nanoseconds(count &* 1_000_000) }
    @inlinable package static func seconds(_ count: UInt64) -> Nanoseconds { Nanoseconds(count &* 1_000_000_000) }

    @inlinable
    package static func < (left: Nanoseconds, right: Nanoseconds) -> Bool { left.value < right.value }
}
