import Glibc
import LinuxSystem
import Logging
import Observability
import TLSEngine
import TendrilCore
import TunnelDataPlane
import TunnelProtocol

/// What both roles' control loops share: the workers, connections under way, reloads, status.
///
/// Everything here belongs to the main thread; workers and the resolver reach it through its mailbox.
final class ControlCore {
    enum Token {
        static var signals: UInt64 { 0 }
        static var mailbox: UInt64 { 1 }
        static var status: UInt64 { 2 }
        static var firstDynamic: UInt64 { 16 }
    }

    let configuration: VPNConfiguration
    let logger: Logger
    let poller: Poller
    let mailbox: Mailbox<Event>
    let workers: [Worker]
    let board: Board
    let features: Hello.Features
    let congestionControl: CongestionControl
    var limiter = LogLimiter()
    var store: IdentityStore
    weak var delegate: (any Delegate)?

    private let setup: TunnelSetup
    private let signals: SignalReader
    private var statusSocket: StatusSocket
    private let service = ServiceManager()
    private var greetings: [UInt64: Greeting] = [:]
    var streamLanes = StreamLanes()
    private var nextToken = Token.firstDynamic
    private var nextGeneration: UInt64 = 0
    private var nextSecond = MonotonicTime(nanoseconds: 0)
    private var lastTurns: [UInt64] = []
    private var secondsUp = 0
    private var failure: (any Error)?
    /// `nil` while the end was not asked for.
    private var ending: Ending?
    /// What is left to do at the end takes no longer.
    private static var goodbyeSeconds: UInt64 { 5 }

    /// Sets up everything that needs privileges or can be refused, before any thread is started.
    init(_ configuration: VPNConfiguration, side: PacketSide, streamRules: StreamRules, logger: Logger) throws {
        signals = try SignalReader([SIGTERM, SIGINT, SIGHUP])
        store = try IdentityStore(configuration)
        congestionControl = try CongestionControl(configuration.congestionControl)
        let setup = try TunnelSetup(configuration, logger: logger)
        let mailbox = try Mailbox<Event>()
        let poller = try Poller()
        statusSocket = try StatusSocket(path: configuration.socket)
        var workers: [Worker] = []
        // Beside all else that has descriptors.
        let maximumStreams = Privileges.raiseDescriptorLimit() / 8 * 7
        let laneMap = LaneMap()
        for index in 0..<configuration.lanes {
            let queue = setup.queues.indices.contains(index) ? setup.queues[index].take() : nil
            workers.append(
                try Worker(
                    index: index,
                    laneMap: laneMap,
                    tun: queue,
                    mergesDatagrams: setup.features.contains(.datagramSegmentation),
                    side: side,
                    streamRules: streamRules,
                    maximumStreams: maximumStreams,
                    report: { mailbox.post(.worker($0)) }
                )
            )
        }
        for worker in workers { try worker.join(workers) }
        try poller.watch(signals.descriptor, for: .readable, token: Token.signals)
        try poller.watch(mailbox.descriptor, for: .readable, token: Token.mailbox)
        try poller.watch(statusSocket.descriptor, for: .readable, token: Token.status)
        features = setup.features.union([.streams, .movingStreams])
        board = Board(configuration, identity: store.current.context.identity, workers: workers)
        self.configuration = configuration
        self.logger = logger
        self.setup = setup
        self.mailbox = mailbox
        self.poller = poller
        self.workers = workers
        let expiry = store.current.context.expiry
        board.update { $0.certificateExpiry = expiry }
    }

    /// Runs until a signal asks for the end.
    func run() throws {
        if let endpoint = configuration.metrics {
            let board = self.board
            let server = try HTTPEndpoint(
                endpoint,
                metrics: { Metrics.text(board) },
                isSteady: { board.pulse.isSteady(at: Clock.now()) },
                readiness: {
                    let (live, expected) = board.readiness(at: Clock.now())
                    return (live > 0, "\(live) of \(expected) links")
                }
            )
            try server.start()
        }
        var threads: [Handover<WorkerThread>] = []
        for (index, worker) in workers.enumerated() {
            threads.append(Handover(try WorkerThread(name: "worker-\(index)") { worker.run() }))
        }
        service.notify("READY=1\nSTATUS=0 links")
        while turn() {}
        for worker in workers { worker.mailbox.post(.stop) }
        for thread in threads { if let thread = thread.take() { thread.join() } }
        if let failure { throw failure }
        logger.notice("stopped")
    }

    // MARK: - Connections under way

    func takeToken() -> UInt64 {
        defer { nextToken += 1 }
        return nextToken
    }

    var greetingCount: Int { greetings.count }

    /// Watches a connection until both hellos are exchanged.
    func begin(_ greeting: Greeting, at now: MonotonicTime) {
        guard let descriptor = greeting.descriptor else { return }
        greeting.token = takeToken()
        greetings[greeting.token] = greeting
        do throws(SystemError) {
            try poller.watch(descriptor, for: [.readable, .writable, .edge], token: greeting.token)
        } catch {
            finish(greeting, .failed(Greeting.Failure(result: "connection", reason: "\(error)")), at: now)
        }
    }

    private func finish(_ greeting: Greeting, _ step: Greeting.Step, at now: MonotonicTime) {
        if case .underWay = step { return }
        greetings[greeting.token] = nil
        if let descriptor = greeting.descriptor { poller.unwatch(descriptor) }
        switch step {
        case .underWay: break
        case .introduced(let introduction): delegate?.introduced(greeting, introduction, at: now)
        case .failed(let failure):
            count(failure.result)
            delegate?.failed(greeting, failure, at: now)
        }
    }

    /// Counts a connection by what became of it.
    func count(_ result: String) { board.update { $0.handshakes[result, default: 0] += 1 } }

    func takeGeneration() -> UInt64 {
        nextGeneration += 1
        return nextGeneration
    }

    // MARK: - The loop

    private func turn() -> Bool {
        var ready: [UInt64] = []
        let now = Clock.now()
        var deadline = min(delegate?.advance(to: now) ?? nextSecond, nextSecond)
        if ending != nil { deadline = min(deadline, now + .milliseconds(20)) }
        let wait = deadline > now ? CInt(clamping: deadline.since(now).milliseconds + 1) : 0
        poller.wait(milliseconds: wait) { token, _ in ready.append(token) }
        let then = Clock.now()
        for token in ready {
            switch token {
            case Token.signals: if readSignals() { beginDrain(at: then) }
            case Token.mailbox: for event in mailbox.drain() { handle(event, at: then) }
            case Token.status:
                statusSocket.answer(token, self, at: then) { (try? StatusReport(board, at: then).json()) ?? "{}" }
            default:
                if let greeting = greetings[token] {
                    finish(greeting, greeting.advance(at: then), at: then)
                } else {
                    delegate?.ready(token, at: then)
                }
            }
        }
        statusSocket.openIfDue(Token.status, self, at: then)
        if then >= nextSecond { second(at: then) }
        let isIdle = ending == nil || workers.activeStreams + UInt64(delegate?.waitingRequests ?? 0) == 0
        return ending?.isOver(at: then, isIdle: isIdle) != true && failure == nil
    }

    /// Tells the peers to open new streams elsewhere, and waits for those that are open.
    private func beginDrain(at now: MonotonicTime) {
        guard ending == nil else {
            ending?.hurry(at: now)
            return
        }
        let drain = Nanoseconds.seconds(UInt64(configuration.drainSeconds))
        ending = Ending(at: now, linger: .seconds(UInt64(configuration.lingerSeconds)), drain: drain)
        for worker in workers { worker.mailbox.post(.retire) }
        let count = workers.activeStreams
        if count > 0 { logger.notice("waiting for streams", metadata: ["streams": "\(count)"]) }
        service.stopping(within: .seconds(UInt64(configuration.drainSeconds) + Self.goodbyeSeconds))
    }

    /// Whether descriptors are left for more streams beside all else.
    var hasRoomForStreams: Bool { workers.first?.hasRoomForStreams ?? false }

    /// How many connections were handed to workers for a link, which its lanes do not count as streams yet.
    func offeredCount(on link: Int) -> UInt64 { workers.first?.offeredCount(on: link) ?? 0 }

    /// Whether a link's peer is about to end, so that others go first.
    func isRetiring(_ link: Int) -> Bool { streamLanes.isRetiring(link) }

    private func handle(_ event: Event, at now: MonotonicTime) {
        if case .worker(.deviceLost(let error)) = event {
            failure = error
        } else if case .worker(.retiring(let peer)) = event {
            streamLanes.retire(peer.link)
        } else {
            delegate?.handle(event, at: now)
        }
    }

    /// Returns whether the process is to end; a hang-up looks for changed files at once.
    private func readSignals() -> Bool {
        while let signal = signals.next() {
            guard signal == SIGHUP else {
                logger.notice("stopping", metadata: ["signal": "\(signal)"])
                return true
            }
            store.forget()
            reload(at: Clock.now())
        }
        return false
    }

    private func second(at now: MonotonicTime) {
        nextSecond = now + .seconds(1)
        secondsUp += 1
        // Reading Nodes walks through decoders that nothing else here needs, once in a while.
        if secondsUp == 3 || configuration.nodesKubeconfig != nil && secondsUp % 60 == 3 {
            ResidentMemory.releaseProgramText()
        }
        for greeting in greetings.values where greeting.deadline <= now {
            finish(greeting, .failed(greeting.lateness), at: now)
        }
        reload(at: now)
        let (live, expected) = board.readiness(at: now)
        service.notify("STATUS=\(live) of \(expected) links live")
        feedWatchdogs(at: now)
    }

    /// Tells systemd, and whoever probes, that all is well only while every worker goes on making turns.
    private func feedWatchdogs(at now: MonotonicTime) {
        let turns = workers.map(\.counters.turnCount)
        let allMoved = lastTurns.isEmpty || zip(turns, lastTurns).allSatisfy { $0 != $1 }
        lastTurns = turns
        guard allMoved else { return logger.error("a worker stands still") }
        board.pulse.beat(at: now)
        service.notify("WATCHDOG=1")
    }
}
