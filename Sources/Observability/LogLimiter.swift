package import Logging
package import TendrilCore

/// Keeps what strangers can cause from filling the log: so many lines of a kind a minute, the rest counted.
package struct LogLimiter {
    /// How many lines of one kind pass in a minute.
    package static var linesPerMinute: Int { 10 }

    private struct Allowance {
        var windowStart: MonotonicTime
        var used = 0
        var suppressed = 0
    }

    private var allowances: [String: Allowance] = [:]

    package init() {}

    /// Logs a line unless its kind has had its share; the first line of a new minute says how many were left out.
    ///
    /// - Parameters:
    ///   - kind: from a closed set; it is the line's message too.
    ///   - level: the line's level.
    ///   - metadata: what is known of this occurrence.
    ///   - logger: where the line goes.
    ///   - now: the moment on the monotonic clock.
    package mutating func log(
        _ kind: String,
        level: Logger.Level = .warning,
        _ metadata: Logger.Metadata,
        to logger: Logger,
        at now: MonotonicTime
    ) {
        var allowance = allowances[kind] ?? Allowance(windowStart: now)
        var metadata = metadata
        if now.since(allowance.windowStart) >= .seconds(60) {
            if allowance.suppressed > 0 { metadata["suppressed"] = "\(allowance.suppressed)" }
            allowance = Allowance(windowStart: now)
        }
        if allowance.used < Self.linesPerMinute {
            allowance.used += 1
            logger.log(level: level, "\(kind)", metadata: metadata)
        } else {
            allowance.suppressed += 1
        }
        allowances[kind] = allowance
    }
}
