package import LinuxSystem
package import TendrilCore
import TunnelProtocol

/// Carries packets between one TUN queue and the lanes that belong to it; confined to one thread.
///
/// A turn: wait, take messages, read TUN into the fair queues, read the lanes, send what waits. Nothing is allocated
/// and nothing is locked in a turn in which no lane comes or goes.
package final class Worker: @unchecked Sendable {
    enum Token {
        static var mailbox: UInt64 { 0 }
        /// The first worker's queue of the TUN device; the others' follow.
        static var firstQueue: UInt64 { 1 }
        static var lastQueue: UInt64 { 64 }
        static var firstLane: UInt64 { 65 }
    }

    package let mailbox: Mailbox<Message>
    /// All workers in their order.
    var crew: [Worker] = []
    package let counters = WorkerCounters()
    package let streamCounters = StreamCounters()

    let tun: TUNQueue?
    /// When this worker's load was heavy last (``QueueLoad``), in nanoseconds of the monotonic clock.
    package let lastHeavy = AtomicWords(count: 1)
    var load = QueueLoad()
    /// Of the first worker: whether the others read their own queues.
    package internal(set) var isWide = false
    let poller: Poller
    var pool = PacketPool()
    var side: PacketSide
    /// Ciphertext as it came from a socket; empty between lanes.
    var incoming = FlatBuffer(capacity: 128 * 1024)
    /// The slot that TUN reads into.
    var spare: Int32?
    var errorAllowance = ErrorAllowance()
    /// Where the kernel takes UDP super-packets.
    let merger: DatagramMerger?

    // Streams.
    let chunks = ChunkStore()
    var streamSets: [StreamSetKey: StreamSet] = [:]
    let streamRules: StreamRules
    /// Streams whose sockets have more than a turn allows.
    var hungry: [Stream] = []
    /// Streams that the peer is told at leisure what has arrived of.
    var leisure: [Stream] = []
    /// Streams with a deadline.
    var timed: [Stream] = []
    /// Names that are being looked up.
    var lookUps = 0
    /// Whether streams wait that may go on over another lane.
    var mayMoveStreams = false
    /// Of the first worker: which streams are looked for, one party after the other.
    var searches: [StreamParty] = []
    /// Counts the streams that this side has asked for, also those of lanes that are gone.
    var lastStream: UInt32 = 0
    private var lastSerial: UInt64 = 0
    var streamTokens = StreamTokens()

    private var lanes: [UInt64: Lane] = [:]
    /// By link, then in the order of their numbers: the lanes that take packets.
    var lanesByLink: [[Lane]] = []
    var pending: [Lane] = []
    private var nextToken = Token.firstLane
    private var nextTick = MonotonicTime(nanoseconds: 0)
    /// Whether the thread ends with this turn.
    var isStopping = false
    /// Whether peers were told to open new streams elsewhere; those who come later are told too.
    var isRetiring = false
    private var events: [(UInt64, Poller.Events)] = []
    let index: Int
    let laneMap: LaneMap
    /// How many streams all workers may have together.
    let maximumStreams: Int
    let report: @Sendable (Event) -> Void
    private var lastTurn = MonotonicTime(nanoseconds: .max)

    /// Prepares a worker.
    ///
    /// - Parameters:
    ///   - index: its number among all workers.
    ///   - laneMap: what all workers know of each other's lanes.
    ///   - tun: its queue of the TUN device; none when no packets are carried.
    ///   - mergesDatagrams: whether the kernel takes UDP super-packets.
    ///   - side: the rules to begin with.
    ///   - streamRules: what is connected to for the peer.
    ///   - maximumStreams: how many streams all workers may have together.
    ///   - report: takes events; called on the worker's thread.
    /// - Throws: `SystemError` where the kernel gives no poller.
    package init(
        index: Int,
        laneMap: LaneMap,
        tun: consuming TUNQueue?,
        mergesDatagrams: Bool = false,
        side: PacketSide,
        streamRules: StreamRules = StreamRules(),
        maximumStreams: Int = .max,
        report: @escaping @Sendable (Event) -> Void
    ) throws(SystemError) {
        mailbox = try Mailbox()
        poller = try Poller()
        self.tun = tun
        self.side = side
        merger = mergesDatagrams ? DatagramMerger() : nil
        self.streamRules = streamRules
        self.report = report
        self.index = index
        self.laneMap = laneMap
        self.maximumStreams = maximumStreams
        pending.reserveCapacity(64)
        events.reserveCapacity(64)
        hungry.reserveCapacity(64)
        leisure.reserveCapacity(64)
        try poller.watch(mailbox.descriptor, for: .readable, token: Token.mailbox)
    }

    /// Makes turns until it is told to stop.
    package func run() {
        Privileges.preferShortSlices()
        while turn() {}
    }

    /// Makes one turn and returns whether to go on.
    ///
    /// - Parameter isWaiting: whether to wait for something to do where there is nothing.
    /// - Returns: whether there is to be another turn.
    package func turn(isWaiting: Bool = true) -> Bool {
        poller.wait(milliseconds: isWaiting && pending.isEmpty && hungry.isEmpty ? wait() : 0) { token, ready in
            if events.count < events.capacity { events.append((token, ready)) }
        }
        counters.turned()
        let now = Clock.now()
        forgiveGap(before: now)
        for (token, ready) in events { handle(token, ready, at: now) }
        events.removeAll(keepingCapacity: true)
        feedHungry(at: now)
        sendPending(at: now)
        if mayMoveStreams { moveStreams(at: now) }
        if now >= nextTick { tick(at: now) }
        return !isStopping
    }

    /// After a pause of this whole machine the peers' silence says nothing about them.
    private func forgiveGap(before now: MonotonicTime) {
        if now.since(lastTurn).value > 1_000_000_000 { for lane in lanes.values { lane.machine.heard(at: now) } }
        lastTurn = now
    }

    private func wait() -> CInt {
        let now = Clock.now()
        guard nextTick > now else { return 0 }
        return CInt(clamping: nextTick.since(now).milliseconds + 1)
    }

    private func handle(_ token: UInt64, _ ready: Poller.Events, at now: MonotonicTime) {
        switch token {
        case Token.mailbox: for message in mailbox.drain() { handle(message, at: now) }
        case Token.firstQueue...Token.lastQueue: ingest(from: Int(token - Token.firstQueue), at: now)
        case StreamTokens.first...:
            if let stream = streamTokens[token] { self.ready(stream, ready, at: now) }
        default:
            guard let lane = lanes[token] else { return }
            if ready.contains(.writable) { unblock(lane) }
            if !ready.isDisjoint(with: .arrival) { receive(lane, at: now) }
        }
    }

    /// Takes a lane over; an older one of its number is drained.
    func adopt(_ lane: Lane, at now: MonotonicTime) {
        lane.token = nextToken
        nextToken += 1
        do throws(SystemError) {
            try poller.watch(lane.socket.rawDescriptor, for: .readable, token: lane.token)
        } catch {
            report(.ended(lane.peer, .socket(error)))
            return
        }
        lanes[lane.token] = lane
        let link = lane.peer.link
        while lanesByLink.count <= link { lanesByLink.append([]) }
        if let position = lanesByLink[link].firstIndex(where: { $0.peer.lane == lane.peer.lane }) {
            let old = lanesByLink[link][position]
            lanesByLink[link][position] = lane
            old.machine.drain(at: now)
            markPending(old)
        } else {
            lanesByLink[link].append(lane)
            lanesByLink[link].sort { $0.peer.lane < $1.peer.lane }
        }
        laneMap.set(link, worker: index, hasLane: true)
        if isRetiring { lane.machine.retire() }
        if lane.peer.takesStreams { attachStreams(to: lane, at: now) }
        // What came right behind the hello is already inside TLS.
        receive(lane, at: now)
        markPending(lane)
    }

    /// The streams of a lane number of a link, which are made where there are none.
    func streamSet(link: Int, lane: Int, at now: MonotonicTime) -> StreamSet {
        let key = StreamSetKey(link: link, lane: lane)
        if let set = streamSets[key] { return set }
        let set = StreamSet(link: link, lane: lane, isServer: isServer, at: now)
        streamSets[key] = set
        return set
    }

    var isServer: Bool { if case .server = side { true } else { false } }

    /// A number that no stream of this worker has had.
    func takeSerial() -> UInt64 {
        lastSerial += 1
        return lastSerial
    }

    /// Puts a lane on the list of those with something to send.
    @inline(__always)
    func markPending(_ lane: Lane) {
        guard !lane.isPending else { return }
        lane.isPending = true
        pending.append(lane)
    }

    private func unblock(_ lane: Lane) {
        guard lane.isBlocked else { return }
        lane.isBlocked = false
        try? poller.rewatch(lane.socket.rawDescriptor, for: .readable, token: lane.token)
        markPending(lane)
    }

    /// Watches a lane for writing until its socket takes more.
    func block(_ lane: Lane) {
        load.noteBlocked()
        lane.isBlocked = true
        try? poller.rewatch(lane.socket.rawDescriptor, for: .both, token: lane.token)
    }

    private func sendPending(at now: MonotonicTime) {
        // A lane that has more to send puts itself on the list again.
        let count = pending.count
        for index in 0..<count {
            let lane = pending[index]
            lane.isPending = false
            if lane.token != 0 { send(lane, at: now) }
        }
        pending.removeSubrange(0..<count)
    }

    private func tick(at now: MonotonicTime) {
        let unixTime = Clock.unixTime()
        for lane in lanes.values {
            if unixTime > lane.peer.expiry {
                close(lane, .notice(CloseNotice(.expired)))
                continue
            }
            lane.adapt(at: now)
            lane.report(at: now)
            markPending(lane)
        }
        moveStreams(at: now)
        tickStreams(at: now)
        shareQueues(at: now)
        errorAllowance.refill()
        nextTick = now + .milliseconds(100)
    }

    /// Ends a lane: the peer is told why where it can be, what waited for it is dropped, control code is told.
    func close(_ lane: Lane, _ reason: LaneEnd) {
        guard lanes.removeValue(forKey: lane.token) != nil else { return }
        // A lane that was being drained has ended as it should, whichever side closed first.
        let end = if case .disconnected = reason, lane.machine.isDraining { LaneEnd.drained } else { reason }
        if let notice = end.lastWord { sayGoodbye(lane, notice) }
        poller.unwatch(lane.socket.rawDescriptor)
        lane.token = 0
        let link = lane.peer.link
        if let position = lanesByLink[link].firstIndex(where: { $0 === lane }) {
            lanesByLink[link].remove(at: position)
        }
        if lanesByLink[link].isEmpty { laneMap.set(link, worker: index, hasLane: false) }
        while let slot = lane.queue.evict(&pool.ledger) { pool.ledger.release(slot) }
        if let set = lane.streams, set.carrier === lane { lostCarrier(of: set, at: lastTurn) }
        lane.streams = nil
        if end.isPeersEnd {
            lostPeer(lane.peer.run, of: link, at: lastTurn)
            for mate in crew where mate !== self { mate.mailbox.post(.peerEnded(link: link, run: lane.peer.run)) }
        }
        report(.ended(lane.peer, end))
    }

    /// Every lane that is not over, also those that are being drained.
    var liveLanes: Dictionary<UInt64, Lane>.Values { lanes.values }

    func requestRenewal(of lane: Lane) { report(.renewalRequested(lane.peer)) }

    /// A worker, other than this one, with a lane of a link.
    func mate(for link: Int) -> Worker? {
        guard let number = laneMap.worker(for: link), number != index, number < crew.count else { return nil }
        return crew[number]
    }
}
