import LinuxSystem
import Logging
import Observability
import TendrilCore
import TunnelDataPlane
import TunnelProtocol

/// Where pods of a node reach the API server: every connection becomes a stream to that one service, of any server that
/// is linked.
final class ServiceDoor {
    private static var patience: Nanoseconds { .seconds(8) }
    private static var acceptsPerTurn: Int { 64 }

    private let core: ControlCore
    private let listener: StreamSocket
    private let token: UInt64
    private var parked = Parking()
    private var latch = DoorLatch()
    /// The links that lead to a server, to be asked for anew each time.
    private let links: () -> [Int]
    /// Those that went a moment ago.
    private let missing: (MonotonicTime) -> [Int]

    /// Listens at an address of this node.
    ///
    /// - Parameters:
    ///   - core: opens the streams.
    ///   - listener: listens already.
    ///   - links: says which links are up, the least loaded first.
    ///   - missing: says which others may be back in a moment.
    /// - Throws: `SystemError` where it cannot be watched.
    init(
        _ core: ControlCore,
        _ listener: consuming StreamSocket,
        links: @escaping () -> [Int],
        missing: @escaping (MonotonicTime) -> [Int]
    ) throws(SystemError) {
        self.core = core
        self.listener = listener
        self.links = links
        self.missing = missing
        token = core.takeToken()
        try core.poller.watch(self.listener.rawDescriptor, for: .readable, token: token)
    }

    /// Takes an event; whether it was this door's.
    func ready(_ token: UInt64, at now: MonotonicTime) -> Bool {
        guard token == self.token else { return false }
        for _ in 0..<Self.acceptsPerTurn {
            guard let descriptor = latch.accept(at: listener, token, core, at: now) else { break }
            let socket = StreamSocket(owning: OwnedDescriptor(owning: descriptor))
            socket.tuneForStream()
            let request = StreamRequest(
                socket,
                to: .apiServer,
                style: .plain,
                at: now,
                deadline: now + Self.patience
            )
            if parked.isFull || !core.hasRoomForStreams {
                close(request, "too many streams")
            } else if !route(request) {
                parked.add(request)
            }
        }
        return true
    }

    /// Connections that wait for a link.
    var waiting: Int { parked.count }

    /// Looks after what waits; when it next has to.
    func advance(to now: MonotonicTime) -> MonotonicTime? {
        if parked.isDue(at: now) { parked.retry(at: now, route) { close($0, $0.refusal.map { "\($0)" } ?? "no link") } }
        latch.openIfDue(listener.rawDescriptor, token, core, at: now)
        return parked.count == 0 && !latch.isShut ? nil : now + .milliseconds(50)
    }

    /// A link has come up: what waits may go there.
    func linkUp() { parked.hurry() }

    /// A stream could not be opened: another server, or the end of the connection.
    func refused(_ request: StreamRequest, _ reset: StreamReset, _ link: Int, at now: MonotonicTime) {
        if reset.reason == .linkDown {
            request.lost = link
            return park(request)
        }
        request.failed(on: link, reset)
        if now < request.deadline, route(request) { return }
        // A server that was not asked may be back in a moment.
        if Parking.hasTime(for: request, at: now), !request.tried.isSuperset(of: missing(now)) {
            return park(request)
        }
        close(request, "\(reset)")
    }

    private func park(_ request: StreamRequest) {
        if parked.isFull { close(request, "too many streams") } else { parked.add(request) }
    }

    private func route(_ request: StreamRequest) -> Bool { core.open(request, links: links()) }

    private func close(_ request: StreamRequest, _ reason: String) {
        guard let socket = request.takeSocket() else { return }
        socket.closeAbruptly()
        core.board.update { $0.podRefusals += 1 }
        core.limiter.log("no stream to the API server", ["reason": "\(reason)"], to: core.logger, at: Clock.now())
    }
}
