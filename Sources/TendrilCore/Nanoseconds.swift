/// A length of time.
public struct Nanoseconds: Hashable, Comparable, Sendable {
    /// How many there are.
    public let value: UInt64

    /// Makes a length of so many nanoseconds.
    @inlinable
    public init(_ value: UInt64) { self.value = value }

    /// So many milliseconds.
    @inlinable public static func milliseconds(_ count: UInt64) -> Nanoseconds { Nanoseconds(count &* 1_000_000) }
    /// So many seconds.
    @inlinable public static func seconds(_ count: UInt64) -> Nanoseconds { Nanoseconds(count &* 1_000_000_000) }

    /// How many whole milliseconds it has.
    @inlinable public var milliseconds: UInt64 { value / 1_000_000 }
    /// How many whole seconds it has.
    @inlinable public var seconds: UInt64 { value / 1_000_000_000 }

    /// Whether a time is shorter than another.
    @inlinable
    public static func < (left: Nanoseconds, right: Nanoseconds) -> Bool { left.value < right.value }
}
