package import TendrilCore

/// Decides when a queue has stood too long (CoDel, RFC 8289), for one flow.
package struct CoDel: Sendable {
    /// How long a packet may wait, and for how long that may be exceeded.
    package struct Parameters: Hashable, Sendable {
        package var target: Nanoseconds
        package var interval: Nanoseconds

        package init(target: Nanoseconds = .milliseconds(5), interval: Nanoseconds = .milliseconds(100)) {
            self.target = target
            self.interval = interval
        }
    }

    private var aboveUntil: MonotonicTime?
    private var next = MonotonicTime(nanoseconds: 0)
    private var count: UInt32 = 0
    private var lastCount: UInt32 = 0
    private var isSignalling = false

    package init() {}

    /// Whether the packet that leaves now should carry a signal of congestion.
    ///
    /// - Parameters:
    ///   - sojourn: how long the packet waited.
    ///   - isLast: whether the queue is empty, or nearly, behind it: then there is nothing to shorten.
    ///   - now: the time of leaving.
    ///   - parameters: the limits in force.
    /// - Returns: whether to mark, trim or drop it.
    package mutating func signals(
        sojourn: Nanoseconds,
        isLast: Bool,
        at now: MonotonicTime,
        _ parameters: Parameters
    ) -> Bool {
        guard stoodTooLong(sojourn, isLast: isLast, at: now, parameters) else {
            isSignalling = false
            return false
        }
        if isSignalling {
            guard now >= next else { return false }
            count &+= 1
            next = next + Self.spacing(parameters.interval, count)
            return true
        }
        isSignalling = true
        // A queue that was bad a moment ago starts where it left off (RFC 8289 section 5.4).
        let delta = count &- lastCount
        let recent = now.since(next).value < parameters.interval.value &* 16
        count = delta > 1 && recent ? delta : 1
        lastCount = count
        next = now + Self.spacing(parameters.interval, count)
        return true
    }

    private mutating func stoodTooLong(
        _ sojourn: Nanoseconds,
        isLast: Bool,
        at now: MonotonicTime,
        _ parameters: Parameters
    ) -> Bool {
        guard sojourn >= parameters.target, !isLast else {
            aboveUntil = nil
            return false
        }
        guard let until = aboveUntil else {
            aboveUntil = now + parameters.interval
            return false
        }
        return now >= until
    }

    private static func spacing(_ interval: Nanoseconds, _ count: UInt32) -> Nanoseconds {
        Nanoseconds(UInt64(Double(interval.value) / Double(max(count, 1)).squareRoot()))
    }
}
