import TendrilCore
import TunnelProtocol

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
    /// How many streams that are over still stand in a line.
    private var spent = 0
    /// How many of them there may be in any case.
    private static var maximumSpent: Int { 256 }
    /// What is owed to the peer about streams that are not here, once for each; at most `maximumStreams`.
    private var resets: [(id: UInt32, reset: StreamReset)] = []
    private var disowned: Set<UInt32> = []
    /// Whether more was owed than is kept: the peer hears it only where both say what they have, on another connection.
    private(set) var hasLostResets = false
    /// With so many before it, a reset has no words beside its reason.
    private static var maximumExplained: Int { 256 }

    /// The most streams of one set.
    static var maximumStreams: Int { 16384 }
    /// The most streams that a server's client may ask for, on all lanes of its link together.
    static var maximumOfClient: UInt64 { 1024 }

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

    /// What all of them take of the machine's memory.
    var held: Int { streams.values.reduce(0) { $0 + $1.held } }

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

    /// Forgets a stream that is over.
    ///
    /// A line that does not move keeps no more of those than of others; they leave together, so that each costs the same
    /// however many there are.
    func forget(_ stream: Stream) {
        if streams[stream.id] === stream { streams[stream.id] = nil }
        count()
        guard stream.place != .idle else { return }
        spent += 1
        guard spent > max(Self.maximumSpent, streams.count) else { return }
        urgent.removeAll(where: \.isGone)
        bulk.removeAll(where: \.isGone)
        spent = 0
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

    /// Notes that the peer is to be told why a stream is not here.
    func disown(_ id: UInt32, _ reset: StreamReset) {
        guard resets.count < Self.maximumStreams else { return hasLostResets = true }
        guard disowned.insert(id).inserted else { return }
        resets.append((id, resets.count < Self.maximumExplained ? reset : StreamReset(reset.reason)))
    }

    /// Takes one of the resets that are owed.
    func takeReset() -> (id: UInt32, reset: StreamReset)? {
        guard let owed = resets.popLast() else { return nil }
        disowned.remove(owed.id)
        return owed
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
        if stream.isGone { spent -= 1 }
        return stream
    }

    /// Forgets what was to be told: the next connection begins with what there is.
    func forgetWords() {
        (resets, disowned, hasLostResets) = ([], [], false)
        (namings, answers) = ([], [])
    }

    /// Whether something can be sent.
    var hasWork: Bool { owesResume || owesMove || !resets.isEmpty || !urgent.isEmpty || !bulk.isEmpty }
}

/// Names the streams of one lane number of one link.
struct StreamSetKey: Hashable {
    let link: Int
    let lane: Int
}
