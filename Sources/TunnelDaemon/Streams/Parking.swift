package import TendrilCore
package import TunnelDataPlane

/// Requests that wait, for a bounded time, for a link to come back.
package struct Parking {
    private static var patience: Nanoseconds { .seconds(3) }
    /// Whoever comes when so many wait is turned away.
    private static var capacity: Int { 1024 }
    /// How long nothing is looked after, unless there is something new.
    private static var respite: Nanoseconds { .milliseconds(50) }

    /// Those that are to be tried once more.
    private var ready: [StreamRequest] = []
    /// Those for which there was nothing: they are tried once more when there is something new.
    private var vain: [StreamRequest] = []
    private var nextRetry = MonotonicTime(nanoseconds: 0)

    package init() {}

    /// Whether a request may wait for a link at `now`, or go on to.
    static func hasTime(for request: StreamRequest, at now: MonotonicTime) -> Bool {
        now < request.arrivedAt + patience
    }

    package var count: Int { ready.count + vain.count }
    var isFull: Bool { count >= Self.capacity }

    package mutating func add(_ request: StreamRequest) { ready.append(request) }

    /// Has everything tried once more at the next turn, for a link has come up, or leads elsewhere.
    package mutating func hurry() {
        (ready, vain) = (vain + ready, [])
        nextRetry = MonotonicTime(nanoseconds: 0)
    }

    /// Whether what waits is to be looked after.
    package func isDue(at now: MonotonicTime) -> Bool { count > 0 && now >= nextRetry }

    /// Forgets the requests of those who have gone, tries once more what has to be, and gives up what has waited for too long.
    package mutating func retry(
        at now: MonotonicTime,
        _ route: (StreamRequest) -> Bool,
        giveUp: (StreamRequest) -> Void
    ) {
        nextRetry = now + Self.respite
        vain += ready.filter { !$0.isAbandoned && !route($0) }
        ready = []
        vain.removeAll { request in
            if request.isAbandoned { return true }
            guard !Self.hasTime(for: request, at: now) else { return false }
            giveUp(request)
            return true
        }
    }
}
