import LinuxSystem
import Logging
import Observability
import TendrilCore
import TunnelDataPlane
import TunnelProtocol

/// Where kube-apiserver asks for connections into the shoot: CONNECT requests on a UNIX socket (Kubernetes
/// documentation, "Set up Konnectivity service", egress selector configuration with HTTPConnect).
///
/// Every request is answered within a bound, with the cause in the status line, for that is all that a user sees.
final class EgressDoor {
    /// What the door needs to know of the links.
    protocol Guide: AnyObject {
        var streamRoutes: StreamRoutes { get }
        /// Why no link leads to a target, in words.
        func absence(for target: StreamTarget, at now: MonotonicTime) -> String
    }

    /// What is asked for at the door.
    enum Purpose {
        /// Connections to targets in the shoot.
        case targets
        /// The status of the client that is named.
        case peerStatus
    }

    /// How long a request may take to be read, and to be answered.
    private static var patience: Nanoseconds { .seconds(8) }
    private static var acceptsPerTurn: Int { 64 }
    /// Connections whose heads have not come yet.
    private static var maximumVisitors: Int { 1024 }

    /// A connection whose head is being read.
    private final class Visitor {
        let socket: Handover<StreamSocket>
        let descriptor: CInt
        let arrivedAt: MonotonicTime

        init(_ descriptor: CInt, at now: MonotonicTime) {
            socket = Handover(StreamSocket(owning: OwnedDescriptor(owning: descriptor)))
            self.descriptor = descriptor
            arrivedAt = now
        }
    }

    private let core: ControlCore
    private let local: LocalListener
    private weak var guide: (any Guide)?
    private let purpose: Purpose
    private let token: UInt64
    private var visitors: [UInt64: Visitor] = [:]
    private var parked = Parking()
    private var latch = DoorLatch()
    private var turn = 0
    private var scratch = [UInt8](repeating: 0, count: ConnectHead.maximumByteCount)

    /// Serves a socket: whoever may open it is believed to be kube-apiserver, or the operator.
    init(
        _ core: ControlCore,
        _ local: consuming LocalListener,
        for purpose: Purpose,
        guide: any Guide
    ) throws(SystemError) {
        self.purpose = purpose
        self.core = core
        self.local = local
        self.guide = guide
        token = core.takeToken()
        try core.poller.watch(self.local.socket.rawDescriptor, for: .readable, token: token)
    }

    /// Takes an event; whether it was this door's.
    func ready(_ token: UInt64, at now: MonotonicTime) -> Bool {
        if token == self.token {
            accept(at: now)
            return true
        }
        guard visitors[token] != nil else { return false }
        read(token, at: now)
        return true
    }

    /// Looks after what waits; when it next has to.
    func advance(to now: MonotonicTime) -> MonotonicTime? {
        for (token, visitor) in visitors where now >= visitor.arrivedAt + Self.patience {
            answer(token, HTTPRefusal(408, "no request came"))
        }
        if parked.isDue(at: now) { retryParked(at: now) }
        latch.openIfDue(local.socket.rawDescriptor, token, core, at: now)
        return waiting == 0 && !latch.isShut ? nil : now + .milliseconds(50)
    }

    /// Connections that wait for an answer and belong to no worker.
    var waiting: Int { visitors.count + parked.count }

    /// A link has come up, or leads elsewhere: what waits may go there.
    func pathsChanged() { parked.hurry() }

    /// A stream could not be opened: another path, or an answer.
    func refused(_ request: StreamRequest, _ reset: StreamReset, _ link: Int, at now: MonotonicTime) {
        guard let guide else { return }
        // A link that went down may be back in a moment; one that leads nowhere is not asked again.
        if reset.reason == .linkDown {
            request.lost = link
            return park(request)
        }
        request.failed(on: link, reset)
        let routes = guide.streamRoutes
        guard routes.mayWorkElsewhere(reset, for: request.target), now < request.deadline else {
            return answer(request, HTTPRefusal(reset))
        }
        if route(request, routes) { return }
        if Parking.hasTime(for: request, at: now), routes.isAwaited(for: request.target, besides: request.tried) {
            return park(request)
        }
        answer(request, HTTPRefusal(reset))
    }

    /// Has a request wait for a link.
    private func park(_ request: StreamRequest) {
        guard !parked.isFull else { return answer(request, HTTPRefusal(503, "too many requests wait for a link")) }
        parked.add(request)
    }

    private func accept(at now: MonotonicTime) {
        for _ in 0..<Self.acceptsPerTurn {
            guard let descriptor = latch.accept(at: local.socket, token, core, at: now) else { return }
            let visitor = Visitor(descriptor, at: now)
            let token = core.takeToken()
            visitors[token] = visitor
            guard visitors.count <= Self.maximumVisitors else {
                answer(token, HTTPRefusal(503, "too many connections without a request"))
                continue
            }
            // As a rule the request is there already.
            read(token, at: now)
            if visitors[token] != nil,
                (try? core.poller.watch(descriptor, for: [.readable, .edge], token: token)) == nil
            {
                answer(token, HTTPRefusal(503, "out of descriptors"))
            }
        }
    }

    private func read(_ token: UInt64, at now: MonotonicTime) {
        guard let visitor = visitors[token] else { return }
        let result = SocketPeek.peek(visitor.descriptor, into: &scratch)
        guard case .bytes(let count) = result else {
            if result != .wouldBlock { _ = leave(token) }
            return
        }
        switch ConnectHead.read(scratch.span.extracting(first: count)) {
        case .incomplete: return
        case .bad(let refusal): answer(token, refusal)
        case .request(let target, let length):
            guard let visitor = leave(token), let socket = visitor.socket.take() else { return }
            // What stands behind the head stays in the socket, for the stream.
            SocketPeek.discard(length, from: visitor.descriptor)
            let request = StreamRequest(
                socket,
                to: purpose == .targets ? target : PeerStatus.service,
                style: .connect,
                at: now,
                deadline: now + Self.patience
            )
            if case .name(let name, _) = target { request.peer = name }
            begin(request, at: now)
        }
    }

    private func begin(_ request: StreamRequest, at now: MonotonicTime) {
        guard let guide else { return }
        let routes = guide.streamRoutes
        if purpose == .targets, let refusal = routes.refusal(of: request.target) { return answer(request, refusal) }
        guard core.hasRoomForStreams else { return answer(request, HTTPRefusal(503, "too many streams")) }
        if !route(request, routes) { park(request) }
    }

    /// Sends a request to the best link that it has not tried; `false` where there is none.
    private func route(_ request: StreamRequest, _ routes: StreamRoutes) -> Bool {
        turn &+= 1
        let links =
            switch purpose {
            case .targets: routes.candidates(for: request.target, turn: turn)
            case .peerStatus: routes.paths.filter { $0.name == request.peer }.map(\.link)
            }
        return core.open(request, links: links)
    }

    private func retryParked(at now: MonotonicTime) {
        guard let guide else { return }
        lazy var routes = guide.streamRoutes
        parked.retry(at: now, { route($0, routes) }) { request in
            let absence = HTTPRefusal(504, guide.absence(for: request.target, at: now))
            answer(request, request.refusal.map { HTTPRefusal($0) } ?? absence)
        }
    }

    private func leave(_ token: UInt64) -> Visitor? {
        guard let visitor = visitors.removeValue(forKey: token) else { return nil }
        core.poller.unwatch(visitor.descriptor)
        return visitor
    }

    private func answer(_ token: UInt64, _ refusal: HTTPRefusal) {
        guard let visitor = leave(token), let socket = visitor.socket.take() else { return }
        send(refusal, to: socket, about: "no target")
    }

    private func answer(_ request: StreamRequest, _ refusal: HTTPRefusal) {
        guard let socket = request.takeSocket() else { return }
        send(refusal, to: socket, about: "\(request.target)")
    }

    private func send(_ refusal: HTTPRefusal, to socket: consuming StreamSocket, about target: String) {
        _ = refusal.bytes.withUnsafeBytes { socket.send($0) }
        core.board.update { $0.egressRefusals[refusal.status, default: 0] += 1 }
        core.limiter.log(
            "stream refused",
            level: .info,
            ["target": "\(target)", "answer": "\(refusal)"],
            to: core.logger,
            at: Clock.now()
        )
    }
}
