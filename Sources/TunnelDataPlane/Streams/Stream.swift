import LinuxSystem
import TendrilCore
import TunnelProtocol

/// One stream at one end: a local socket, what waits in each direction, and the books.
final class Stream {
    /// Where it stands in its set's order of sending.
    enum Place: UInt8 { case idle, urgent, bulk }

    /// How far its opening has come.
    enum Opening: UInt8 {
        /// Asked for; the far end is connecting.
        case requested
        /// This end looks a name up.
        case resolving
        /// This end is connecting.
        case connecting
        case open
    }

    let id: UInt32
    let target: StreamTarget
    /// Whether this side asked for it.
    let isOurs: Bool
    let set: StreamSet
    /// Tells it from all other streams of its worker, also from one of the same number.
    let serial: UInt64
    let openedAt: MonotonicTime

    var machine: StreamMachine
    /// Bytes from the socket, kept until the peer has them.
    var outbox: ChunkQueue
    /// Bytes for the socket that it has not taken yet.
    var inbox: ChunkQueue
    var socket: StreamSocket?
    var request: StreamRequest?
    var opening: Opening
    /// Until when the opening may take.
    var deadline: MonotonicTime?
    /// Until when bytes for the socket are held back: what reads the answer to CONNECT must not find them behind it.
    var mutedUntil: MonotonicTime?
    var token: UInt64 = 0
    var place = Place.idle

    // What the kernel said last; events come once.
    var canRead = false
    var canWrite = false
    /// Both directions of the socket are over.
    var isHungUp = false
    /// Nothing more comes from the socket than what it holds.
    var hasSeenEnd = false

    // What is owed to the peer.
    var owesOpen = false
    /// Whether the peer may know of it.
    var wasAsked = false
    /// Whether it only stands for a reset that is to be told.
    var isGhost = false
    var owesOpened = false
    var owesReset: StreamReset?
    var isAtLeisure = false
    /// Whether the peer has still to say what it has, after a lane took the place of another.
    var awaitsResume = false
    var epoch: UInt32
    /// Whether the socket was told that nothing follows.
    var hasEndedSocket = false
    /// Bytes of this side's own answer to CONNECT that the socket has not taken yet.
    var answerLeft = 0
    var isHungry = false
    var isInLeisure = false
    /// Whether it is over and forgotten, though it may still stand in a line.
    var isGone = false

    init(
        _ id: UInt32,
        to target: StreamTarget,
        isOurs: Bool,
        opening: Opening,
        limit: UInt64,
        in set: StreamSet,
        serial: UInt64,
        chunks: ChunkStore,
        at now: MonotonicTime
    ) {
        self.serial = serial
        (self.id, self.target, self.isOurs, self.opening) = (id, target, isOurs, opening)
        (self.set, epoch, openedAt) = (set, set.epoch, now)
        machine = StreamMachine(limit: limit, at: now)
        outbox = ChunkQueue(chunks)
        inbox = ChunkQueue(chunks)
    }

    /// Whether something of it can be sent now.
    var hasWork: Bool {
        if owesReset != nil { return true }
        if owesOpen || owesOpened { return true }
        guard !awaitsResume, opening == .open || !isOurs else { return false }
        return machine.isCreditDue || isAtLeisure || machine.sendable > 0 || machine.owesEnd
    }

    /// Bytes that it holds in memory.
    var held: Int { outbox.count + inbox.count }
}

/// The streams of one lane number of one link; they outlive the connections that carry them.
final class StreamSet {
    let link: Int
    let lane: Int
    /// The connection that carries them now.
    var carrier: Lane?
    /// When the last connection was lost; `nil` while there is one.
    var lostAt: MonotonicTime?
    var streams: [UInt32: Stream] = [:]
    /// Grows with every connection.
    private(set) var epoch: UInt32 = 0
    /// What is still to be told on this connection of the streams that were there before it.
    var resumes: [UInt32] = []
    var owesResume = false
    private var nextID: UInt32
    private var urgent = StreamLine()
    private var bulk = StreamLine()

    init(link: Int, lane: Int, isServer: Bool, at now: MonotonicTime) {
        (self.link, self.lane, lostAt) = (link, lane, now)
        nextID = isServer ? 2 : 1
    }

    /// Streams whose last word was said, to be ended.
    var finished: [Stream] = []
    /// Resets that wait to be told of streams that are not there.
    var ghosts = 0

    /// The most resets that wait.
    static var maximumGhosts: Int { 256 }

    /// The most streams of one set.
    static var maximumStreams: Int { 16384 }

    /// A number that no stream of this side has: the two sides take odd and even ones.
    func takeID() -> UInt32? {
        guard streams.count < Self.maximumStreams else { return nil }
        while streams[nextID] != nil { nextID &+= 2 }
        defer { nextID &+= 2 }
        return nextID
    }

    /// Whether an id is one that the peer gives.
    func isPeers(_ id: UInt32) -> Bool { id & 1 != nextID & 1 }

    /// Says on the connection how many there are.
    func count() { carrier?.counters.set(.streams, UInt64(streams.count)) }

    /// Carries the streams over another connection from now on.
    func attach(_ lane: Lane) {
        carrier = lane
        count()
        lostAt = nil
        epoch &+= 1
        resumes = Array(streams.keys)
        owesResume = true
        for stream in streams.values { stream.awaitsResume = !(stream.isOurs && stream.owesOpen) }
    }

    /// Puts a stream in line, if something of it can be sent.
    @inline(__always)
    func enqueue(_ stream: Stream) {
        guard stream.place == .idle, stream.hasWork else { return }
        stream.place = .urgent
        urgent.append(stream)
    }

    /// Puts a stream behind all others.
    func requeue(_ stream: Stream) {
        stream.place = .bulk
        bulk.append(stream)
    }

    /// The next stream in line, which stands in no line from then on.
    func next() -> Stream? {
        guard let stream = urgent.popFirst() ?? bulk.popFirst() else { return nil }
        stream.place = .idle
        return stream
    }

    /// Forgets resets that were to be told: the next connection begins with what there is.
    func forgetGhosts() {
        urgent.removeGhosts()
        bulk.removeGhosts()
        ghosts = 0
    }

    /// Whether something can be sent.
    var hasWork: Bool { owesResume || !urgent.isEmpty || !bulk.isEmpty }
}

/// Streams that wait for their turn, in memory that is used again and again.
struct StreamLine {
    private var streams: [Stream] = []
    private var first = 0

    init() { streams.reserveCapacity(16) }

    var isEmpty: Bool { first == streams.count }

    mutating func append(_ stream: Stream) { streams.append(stream) }

    mutating func removeGhosts() {
        streams.removeSubrange(..<first)
        first = 0
        streams.removeAll(where: \.isGhost)
    }

    mutating func popFirst() -> Stream? {
        guard first < streams.count else { return nil }
        let stream = streams[first]
        first += 1
        if first == streams.count {
            streams.removeAll(keepingCapacity: true)
            first = 0
        } else if first >= 1024 {
            streams.removeSubrange(..<first)
            first = 0
        }
        return stream
    }
}

/// Names the streams of one lane number of one link.
struct StreamSetKey: Hashable {
    let link: Int
    let lane: Int
}

/// Names one stream among all of a worker.
package struct StreamKey: Hashable, Sendable {
    let link: Int
    let lane: Int
    let id: UInt32
    let serial: UInt64
}
