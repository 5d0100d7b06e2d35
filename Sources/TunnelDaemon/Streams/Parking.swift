import TendrilCore
import TunnelDataPlane

/// Requests that wait, for a bounded time, for a link to come back.
struct Parking {
    private static var patience: Nanoseconds { .seconds(3) }
    /// Whoever comes when so many wait is turned away.
    private static var capacity: Int { 1024 }
    /// How long nothing is tried again, unless a link has come up.
    private static var respite: Nanoseconds { .milliseconds(50) }

    private var requests: [StreamRequest] = []
    private var nextRetry = MonotonicTime(nanoseconds: 0)

    /// Whether a request may wait for a link at `now`, or go on to.
    static func hasTime(for request: StreamRequest, at now: MonotonicTime) -> Bool {
        now < request.arrivedAt + patience
    }

    var count: Int { requests.count }
    var isFull: Bool { requests.count >= Self.capacity }

    mutating func add(_ request: StreamRequest) { requests.append(request) }

    /// Has everything tried once more at the next turn.
    mutating func hurry() { nextRetry = MonotonicTime(nanoseconds: 0) }

    /// Whether there is something to be tried once more.
    func isDue(at now: MonotonicTime) -> Bool { !requests.isEmpty && now >= nextRetry }

    /// Forgets the requests of those who have gone, tries every other one once more, and gives up what has waited for too long.
    mutating func retry(
        at now: MonotonicTime,
        _ route: (StreamRequest) -> Bool,
        giveUp: (StreamRequest) -> Void
    ) {
        nextRetry = now + Self.respite
        requests.removeAll { request in
            if request.isAbandoned || route(request) { return true }
            guard !Self.hasTime(for: request, at: now) else { return false }
            giveUp(request)
            return true
        }
    }
}
