package import TendrilCore

/// How often what somebody breaks is made again: an autoscaler that will not have it so is not fought every minute.
package struct RepairPace: Sendable {
    /// What was just made gets this long to become well.
    private static let pause = Nanoseconds.seconds(60)
    /// So many in a row at that pace; after each further one the pause doubles.
    private static let quick = 5
    private static let longest = Nanoseconds.seconds(3600)

    private var last: MonotonicTime?
    private var inARow = 0

    /// Begins with none.
    package init() {}

    /// Whether a repair may begin, which is counted as one then.
    ///
    /// - Parameters:
    ///   - now: by the monotonic clock.
    ///   - made: when everything was made last.
    /// - Returns: whether it begins.
    package mutating func mayRepair(at now: MonotonicTime, madeAt made: MonotonicTime?) -> Bool {
        let doublings = UInt64(min(max(inARow - Self.quick, 0), 6))
        let pause = min(Self.pause.value << doublings, Self.longest.value)
        if let made, now < made + Nanoseconds(pause) { return false }
        if let last, now >= last + Self.longest + Self.pause { inARow = 0 }
        (last, inARow) = (now, inARow + 1)
        return true
    }
}
