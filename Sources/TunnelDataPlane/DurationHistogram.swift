import TendrilCore

/// How long something took each time, counted in classes; written by one thread, read by anyone at any time.
package final class DurationHistogram: Sendable {
    /// The upper bounds of the classes in milliseconds; a class counts all that is below.
    package static let bounds: [UInt64] = [1, 3, 10, 30, 100, 300, 1000, 3000]

    private static let countIndex = bounds.count
    private static let sumIndex = bounds.count + 1
    private let words = AtomicWords(count: bounds.count + 2)

    package init() {}

    /// How often it took no longer than a bound.
    package func count(within index: Int) -> UInt64 { words.load(index) }
    /// How often it happened.
    package var count: UInt64 { words.load(Self.countIndex) }
    /// How long all of them took together, in microseconds.
    package var microseconds: UInt64 { words.load(Self.sumIndex) }

    func note(_ nanoseconds: UInt64) {
        words.add(1, at: Self.countIndex)
        words.add(nanoseconds / 1000, at: Self.sumIndex)
        for (index, bound) in Self.bounds.enumerated() where nanoseconds <= bound * 1_000_000 {
            words.add(1, at: index)
        }
    }
}
