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
    /// What is still waited for after whoever asked for it has left.
    var farewell: Farewell?
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
    var owesOpened = false
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
        guard !passage.isUnderWay else { return false }
        if owesOpen || owesOpened { return true }
        guard !awaitsResume, opening == .open || !isOurs else { return false }
        return machine.isCreditDue || isAtLeisure || machine.sendable > 0 || machine.owesEnd
    }

    /// What its bytes take of the machine's memory.
    var held: Int { outbox.held + inbox.held }

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

/// Names one stream among all of a worker.
package struct StreamKey: Hashable, Sendable {
    let link: Int
    let lane: Int
    let id: UInt32
    let serial: UInt64
}
