import TendrilCore
import TunnelDataPlane

/// Requests that wait, for a bounded time, for a link to come back.
struct Parking {
    private static var patience: Nanoseconds { .seconds(3) }
    /// Whoever comes when so many wait is turned away.
    private static var capacity: Int { 1024 }

    private var requests: [StreamRequest] = []

    var count: Int { requests.count }
    var isFull: Bool { requests.count >= Self.capacity }

    mutating func add(_ request: StreamRequest) { requests.append(request) }

    /// Forgets the requests of those who have gone, tries every other one once more, and gives up what has waited for too long.
    mutating func retry(
        at now: MonotonicTime,
        _ route: (StreamRequest) -> Bool,
        giveUp: (StreamRequest) -> Void
    ) {
        requests.removeAll { request in
            if request.isAbandoned || route(request) { return true }
            guard now >= request.arrivedAt + Self.patience else { return false }
            giveUp(request)
            return true
        }
    }
}
