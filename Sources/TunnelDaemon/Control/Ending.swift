import TendrilCore

/// When a process that was told to end may do so.
struct Ending {
    /// Since when there has to be nothing: a stream that goes from a worker to another is nobody's for a moment.
    private static var settlingTime: Nanoseconds { .milliseconds(20) }

    private var lingersUntil: MonotonicTime
    private var deadline: MonotonicTime
    private var idleSince: MonotonicTime?

    /// Begins at `now`.
    ///
    /// - Parameters:
    ///   - now: the time.
    ///   - linger: how long it goes on although there is nothing to do, for what may still come.
    ///   - drain: after this it ends, whatever there is to do.
    init(at now: MonotonicTime, linger: Nanoseconds, drain: Nanoseconds) {
        (lingersUntil, deadline) = (now + linger, now + drain)
    }

    /// Ends at once: who is asked twice means it.
    mutating func hurry(at now: MonotonicTime) { deadline = now }

    /// Whether the end has come, where there is nothing to do at `now`, or is.
    mutating func isOver(at now: MonotonicTime, isIdle: Bool) -> Bool {
        guard now < deadline else { return true }
        guard isIdle else {
            idleSince = nil
            return false
        }
        let since = idleSince ?? now
        idleSince = since
        return now >= since + Self.settlingTime && now >= lingersUntil
    }
}
