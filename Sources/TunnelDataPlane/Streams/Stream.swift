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
    var set: StreamSet
    /// Tells it from all other streams of its worker, also from one of the same number.
    var serial: UInt64
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
    /// Whether it is on its way from a lane that was lost to another one.
    var passage = StreamPassage()
    /// Whether the socket was told that nothing follows.
    var hasEndedSocket = false
    /// Bytes of this side's own answer to CONNECT that the socket has not taken yet.
    var answerLeft = 0
    var isHungry = false
    var isInLeisure = false
    /// Whether it is over and forgotten, though it may still stand in a line.
    var isGone = false
    /// Whether it is about to leave this worker, and has to stand in no line any more.
    var isLeaving = false

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
        (self.set, openedAt) = (set, now)
        machine = StreamMachine(limit: limit, at: now)
        outbox = ChunkQueue(chunks)
        inbox = ChunkQueue(chunks)
    }

    /// Whether something of it can be sent now.
    var hasWork: Bool {
        if owesReset != nil { return true }
        guard !passage.isUnderWay else { return false }
        if owesOpen || owesOpened { return true }
        guard !awaitsResume, opening == .open || !isOurs else { return false }
        return machine.isCreditDue || isAtLeisure || machine.sendable > 0 || machine.owesEnd
    }

    /// Bytes that it holds in memory.
    var held: Int { outbox.count + inbox.count }

    /// What is told to the peer where both go on after a loss.
    func takeEntry() -> StreamFrame.ResumeEntry {
        let credit = machine.tellCredit()
        return StreamFrame.ResumeEntry(
            stream: id,
            received: credit.received,
            limit: credit.limit,
            isOpen: opening == .open
        )
    }
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
    /// What is still to be told on this connection of the streams that were there before it.
    var resumes: [UInt32] = []
    /// Streams of which this connection has still to tell that they are not here, though they were.
    var absences: [UInt32] = []
    var owesResume = false
    /// Which run of the peer its streams lead to; `nil` where that lets them stay on their lanes.
    var run: UInt128?
    let isServer: Bool
    /// Of a client: streams of other lanes that are to be named on this connection.
    var namings: [UInt32] = []
    /// Of a server: the client's words that are to be answered on this connection.
    var answers: [(number: UInt32, stream: UInt32)] = []
    /// Of a client: streams that have left, and when: the server may not know yet.
    private var departures: [UInt32: MonotonicTime] = [:]
    /// How many of the streams that the client has named are looked for.
    var sought = 0
    /// The part of a number that says which side has given it, and on which lane.
    private let mark: UInt32
    private var urgent = StreamLine()
    private var bulk = StreamLine()

    init(link: Int, lane: Int, isServer: Bool, at now: MonotonicTime) {
        (self.link, self.lane, self.isServer, lostAt) = (link, lane, isServer, now)
        mark = UInt32(truncatingIfNeeded: lane & 0xF) << 1 | (isServer ? 0 : 1)
    }

    /// Streams whose last word was said, to be ended.
    var finished: [Stream] = []
    /// Resets that wait to be told of streams that are not there.
    var ghosts = 0

    /// The most resets that wait.
    static var maximumGhosts: Int { 256 }

    /// The most streams of one set.
    static var maximumStreams: Int { 16384 }

    /// A number that no stream of the link has: the two sides take odd and even ones, and each lane its own part of them.
    ///
    /// - Parameter count: grows with every number that this side gives for the lane.
    /// - Returns: `nil` where there are too many streams.
    func takeID(_ count: inout UInt32) -> UInt32? {
        guard streams.count < Self.maximumStreams else { return nil }
        count &+= 1
        while count << 5 == 0 || streams[count << 5 | mark] != nil { count &+= 1 }
        return count << 5 | mark
    }

    /// Whether an id is one that the peer gives.
    func isPeers(_ id: UInt32) -> Bool { id & 1 != mark & 1 }

    /// Whether an id is one that is given on this lane.
    func isOfLane(_ id: UInt32) -> Bool { id & 0x1E == mark & 0x1E }

    /// Whether the client may name so many more streams before it takes answers.
    func mayName(_ count: Int) -> Bool { sought + answers.count + count <= Self.maximumStreams * Hello.maximumLanes }

    /// Says on the connection how many there are.
    func count() { carrier?.counters.set(.streams, UInt64(streams.count)) }

    /// Carries the streams over another connection from now on.
    func attach(_ lane: Lane, at now: MonotonicTime) {
        if run != lane.peer.run { departures = [:] }
        (carrier, run, lostAt, owesResume) = (lane, lane.peer.run, nil, true)
        count()
        for stream in streams.values { stream.awaitsResume = !(stream.isOurs && stream.owesOpen) }
        // The server may have them here still, and must not take them for lost before it hears where they are named.
        namings = isServer ? [] : streams.values.filter(\.passage.isUnderWay).map(\.id)
        absences = departures.keys.filter { streams[$0] == nil } + namings
        resumes = isServer ? Array(streams.keys) : streams.values.filter { !$0.passage.isUnderWay }.map(\.id)
        (answers, sought) = ([], 0)
    }

    /// Lets go of streams that leave.
    func release(_ leaving: [Stream], at now: MonotonicTime) {
        for stream in leaving {
            streams[stream.id] = nil
            if !isServer { departures[stream.id] = now }
        }
        // By then the server has given up what it did not find.
        departures = departures.filter { now < $0.value + StreamMachine.resumeTime + StreamMachine.resumeTime }
        urgent.removeAll(where: \.isLeaving)
        bulk.removeAll(where: \.isLeaving)
        finished.removeAll(where: \.isLeaving)
        count()
    }

    /// Notes that both sides have a stream here.
    func settled(_ stream: Stream) {
        stream.passage.settle()
        departures[stream.id] = nil
    }

    /// Takes some of the streams that are to be named, with the number by which they are.
    func takeNamings() -> (number: UInt32, entries: [StreamFrame.ResumeEntry]) {
        let count = min(namings.count, StreamFrame.maximumResumeEntries)
        let named = namings.suffix(count).compactMap { streams[$0] }.filter(\.passage.isUnderWay)
        namings.removeLast(count)
        let number = StreamPassage.nextNumber(of: named.lazy.map(\.passage))
        for stream in named { stream.passage.name(number) }
        return (number, named.map { $0.takeEntry() })
    }

    /// Takes some of the answers that are owed, to words of one number.
    func takeAnswers() -> (number: UInt32, entries: [StreamFrame.ResumeEntry]) {
        let number = answers.first?.number ?? 0
        let ours = answers.prefix(StreamFrame.maximumResumeEntries).prefix { $0.number == number }
        let entries = ours.map { streams[$0.stream]?.takeEntry() ?? StreamFrame.ResumeEntry(absent: $0.stream) }
        answers.removeFirst(ours.count)
        return (number, entries)
    }

    /// Whether streams are to be named on this connection, or answered for.
    var owesMove: Bool { !namings.isEmpty || !answers.isEmpty }

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

    /// Forgets what was to be told: the next connection begins with what there is.
    func forgetWords() {
        urgent.removeAll(where: \.isGhost)
        bulk.removeAll(where: \.isGhost)
        ghosts = 0
        (namings, answers) = ([], [])
    }

    /// Whether something can be sent.
    var hasWork: Bool { owesResume || owesMove || !urgent.isEmpty || !bulk.isEmpty }
}

/// Streams that wait for their turn, in memory that is used again and again.
struct StreamLine {
    private var streams: [Stream] = []
    private var first = 0

    init() { streams.reserveCapacity(16) }

    var isEmpty: Bool { first == streams.count }

    mutating func append(_ stream: Stream) { streams.append(stream) }

    mutating func removeAll(where isUnwanted: (Stream) -> Bool) {
        streams.removeSubrange(..<first)
        first = 0
        streams.removeAll(where: isUnwanted)
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
