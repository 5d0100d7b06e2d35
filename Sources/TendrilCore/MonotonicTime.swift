/// A moment on a clock that never goes back, in nanoseconds since an arbitrary start (CLOCK_MONOTONIC).
public struct MonotonicTime: Hashable, Comparable, Sendable {
    /// Nanoseconds since the clock's start.
    public let nanoseconds: UInt64

    /// Makes the moment that is so long after the clock's start.
    @inlinable
    public init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

    /// How long ago `earlier` was; zero when it lies ahead.
    @inlinable
    public func since(_ earlier: MonotonicTime) -> Nanoseconds {
        Nanoseconds(nanoseconds > earlier.nanoseconds ? nanoseconds &- earlier.nanoseconds : 0)
    }

    /// Whole seconds since the clock's start.
    @inlinable public var seconds: UInt64 { nanoseconds / 1_000_000_000 }

    /// Whether a moment is before another.
    @inlinable
    public static func < (left: MonotonicTime, right: MonotonicTime) -> Bool { left.nanoseconds < right.nanoseconds }

    /// A later moment; it stops at the end of the clock.
    @inlinable
    public static func + (left: MonotonicTime, right: Nanoseconds) -> MonotonicTime {
        let (sum, overflow) = left.nanoseconds.addingReportingOverflow(right.value)
        return MonotonicTime(nanoseconds: overflow ? .max : sum)
    }
}
