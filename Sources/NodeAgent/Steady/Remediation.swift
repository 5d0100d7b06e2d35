package import TendrilCore

/// Decides when an unhealthy service is restarted: after it was unhealthy for a time, not too often, and not at all once
/// restarts have shown that they do not help.
package struct Remediation: Sendable {
    /// What to do.
    package enum Action: Hashable, Sendable {
        case nothing
        case restart
        /// Restarts do not help: told once.
        case giveUp
    }

    private let patience: Nanoseconds
    private let limit: Int
    private let window: Nanoseconds
    private var unhealthySince: MonotonicTime?
    private var restarts: [MonotonicTime] = []
    private var isOpen = false

    /// At most `limit` restarts within `window`, each after `patience` of ill health.
    package init(patience: Nanoseconds = .seconds(60), limit: Int = 3, window: Nanoseconds = .seconds(1800)) {
        (self.patience, self.limit, self.window) = (patience, limit, window)
    }

    /// Notes how the service is now.
    package mutating func observe(isHealthy: Bool, at now: MonotonicTime) -> Action {
        guard !isHealthy else {
            (unhealthySince, isOpen) = (nil, false)
            return .nothing
        }
        guard let since = unhealthySince else {
            unhealthySince = now
            return .nothing
        }
        guard now.since(since) >= patience else { return .nothing }
        restarts.removeAll { now.since($0) > window }
        guard restarts.count < limit else {
            defer { isOpen = true }
            return isOpen ? .nothing : .giveUp
        }
        restarts.append(now)
        unhealthySince = now
        return .restart
    }
}
