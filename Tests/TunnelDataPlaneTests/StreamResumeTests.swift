import Glibc
import LinuxSystem
import TendrilCore
import TestSupport
import Testing
import TunnelDataPlane
import TunnelProtocol

/// The workers of two sides and the connections between them, which are cut at any byte, against the plainest model: what was
/// said at one end of a stream is heard at the other.
@Suite("Streams from worker to worker over connections that are cut", .serialized)
struct StreamResumeTests {
    @Test("lose nothing, repeat nothing and end on both sides", arguments: 1...8 as ClosedRange<UInt64>)
    func survive(seed: UInt64) throws { try run(ResumeWorld(seed: seed, lanes: 1), seed) }

    @Test(
        "go on over another lane, though theirs never comes back, and its end is noticed now here and now there",
        arguments: 1...40 as ClosedRange<UInt64>
    )
    func move(seed: UInt64) throws { try run(ResumeWorld(seed: seed, lanes: seed % 3 == 0 ? 3 : 2), seed) }

    private func run(_ world: ResumeWorld, _ seed: UInt64) throws {
        for _ in 0..<800 { try world.step() }
        try world.calmDown()
        for _ in 0..<20_000 where !world.isOver { try world.step() }
        for (asking, answering) in world.pairs {
            let isWhole = asking.heard == answering?.words && answering?.heard == asking.words
            #expect(isWhole, "seed \(seed)")
            #expect(asking.sawEnd && answering?.sawEnd == true, "seed \(seed): no end")
        }
        #expect(world.pairs.count == ResumeWorld.streamCount)
        #expect(world.figures(.active) == [0, 0], "seed \(seed): streams are kept")
        #expect(world.figures(.heldBytes) == [0, 0], "seed \(seed): bytes are kept")
        #expect(world.figures(.resumed).reduce(0, +) > 0, "seed \(seed): nothing was resumed")
    }
}

private final class ResumeWorld {
    static let streamCount = 8

    /// The workers of the server and those of the client, by lane.
    private let sides: [[WorkerHarness]]
    /// The side that asks for streams; the other one connects them.
    private let asker: Int
    private let run: UInt128?
    private let lasting: Int
    private var generation: UInt64 = 0
    private let listener: StreamSocket
    private var wires: [Wire] = []
    private var asking: [Talker] = []
    private var callers: [Talker] = []
    private var answering: [UInt8: Talker] = [:]
    private var random: SeededGenerator
    private var isCalm = false

    init(seed: UInt64, lanes: Int) throws {
        random = SeededGenerator(seed: seed)
        let address = try #require(SocketAddress(path: "@tendril-test-\(getpid())-\(lanes)-\(seed)"))
        listener = try StreamSocket(listeningAt: address)
        asker = lanes == 1 ? 0 : Int(seed % 2)
        run = lanes == 1 ? nil : 7
        lasting = Int.random(in: 0..<lanes, using: &random)
        let rules = StreamRules(services: ["talker": address])
        let client = ClientPolicy(served: RouteTable(), remote: RouteTable())
        sides = [
            try WorkerHarness.crew(lanes, .server(ServerPolicy(shoot: RouteTable()), FlowTable()), rules),
            try WorkerHarness.crew(lanes, .client(client, ReturnPaths()), rules),
        ]
    }

    /// Both ends of every stream.
    var pairs: [(Talker, Talker?)] { asking.enumerated().map { ($1, answering[UInt8($0)]) } }

    private var isSaid: Bool {
        pairs.count == Self.streamCount && pairs.allSatisfy { $0.sawEnd && $1?.sawEnd == true }
    }

    var isOver: Bool { isSaid && figures(.active) == [0, 0] && figures(.heldBytes) == [0, 0] }

    func figures(_ figure: StreamCounters.Figure) -> [UInt64] {
        sides.map { $0.map { $0.worker.streamCounters[figure] }.reduce(0, +) }
    }

    /// From here on one lane lasts, and the others are gone until all is said.
    func calmDown() throws {
        isCalm = true
        wires.removeAll { $0.lane != lasting }
    }

    func step() throws {
        try connectSome()
        if !isCalm, chance(20) { for wire in wires where chance(2) { wire.cut(chance(2) ? 0 : 1) } }
        if asking.count < Self.streamCount, isCalm || chance(30) { try ask() }
        for worker in sides[asker] { for request in worker.takeRefusals() { open(request) } }
        try welcome()
        for talker in asking + answering.values { try talker.act(&random) }
        for worker in sides.joined() where isCalm || !chance(3) { _ = worker.worker.turn(isWaiting: false) }
        wires.removeAll { wire in
            guard !wire.isCut else { return isCalm || chance(20) }
            return !(0...1).allSatisfy { wire.carry(from: $0, atMost: Int.random(in: 1...20_000, using: &random)) }
        }
    }

    private func connectSome() throws {
        let up = Set(wires.lazy.filter { !$0.isCut }.map(\.lane))
        if isCalm {
            let wanted = isSaid ? Array(sides[0].indices) : [lasting]
            for lane in wanted where !up.contains(lane) { try connect(lane) }
        } else if up.isEmpty || (wires.count <= sides[0].count && chance(sides[0].count > 1 ? 20 : 60)) {
            try connect(Int.random(in: sides[0].indices, using: &random))
        }
    }

    private func chance(_ one: Int) -> Bool { Int.random(in: 0..<one, using: &random) == 0 }

    /// Gives a worker of each side a lane, in place of the one that they may have.
    private func connect(_ lane: Int) throws {
        let sessions = try SessionPair()
        let ends = try (0...1).map { _ in try WorkerHarness.socketPair(CInt(SOCK_STREAM.rawValue)) }
        generation += 1
        for side in chance(2) ? [0, 1] : [1, 0] {
            let session = side == 0 ? try sessions.takeServer() : try sessions.takeClient()
            sides[side][lane].adopt(
                ends[side].0,
                session,
                bound: RouteTable(),
                lane: lane,
                generation: generation,
                run: run
            )
        }
        wires.append(Wire(ends[0].1, ends[1].1, lane: lane))
    }

    /// Asks for one more stream, in either style; its first byte says which one it is.
    private func ask() throws {
        let ends = try WorkerHarness.socketPair(CInt(SOCK_STREAM.rawValue))
        let number = UInt8(asking.count)
        let style: StreamRequest.Style = number % 2 == 0 ? .plain : .connect
        asking.append(
            Talker(ends.0, says: [number] + words(), hearsFirst: style == .plain ? "" : "HTTP/1.1 200 OK\r\n\r\n")
        )
        let now = Clock.now()
        let socket = StreamSocket(owning: OwnedDescriptor(owning: ends.1))
        open(StreamRequest(socket, to: .service("talker"), style: style, at: now, deadline: now + .seconds(60)))
    }

    private func open(_ request: StreamRequest) {
        let lane = Int.random(in: sides[asker].indices, using: &random)
        sides[asker][lane].worker.offer(request, link: 0, lane: lane)
    }

    private func words() -> [UInt8] {
        (0..<Int.random(in: 0...80_000, using: &random)).map { _ in UInt8.random(in: .min ... .max, using: &random) }
    }

    /// Lets in who was connected to; one whose asking was lost leaves without a word, and is forgotten.
    private func welcome() throws {
        while let caller = try listener.accept() { callers.append(Talker(caller.descriptor, says: [])) }
        callers.removeAll { caller in
            guard let name = caller.listenForName() else { return caller.sawEnd || caller.wasReset }
            #expect(answering[name] == nil, "a stream was connected twice")
            caller.words = words()
            answering[name] = caller
            return true
        }
    }
}

/// One connection between the workers, which goes through the test's hands and ends with it.
private final class Wire {
    let lane: Int
    private let first: OwnedDescriptor
    private let second: OwnedDescriptor
    private var held: [[UInt8]] = [[], []]
    /// Whether one side has been told of the end already.
    private(set) var isCut = false

    init(_ first: CInt, _ second: CInt, lane: Int) {
        self.lane = lane
        self.first = OwnedDescriptor(owning: first)
        self.second = OwnedDescriptor(owning: second)
    }

    /// Carries nothing more, of which only one side hears at first.
    func cut(_ side: Int) {
        isCut = true
        shutdown(side == 0 ? first.rawValue : second.rawValue, CInt(SHUT_RDWR))
    }

    /// Carries some bytes one way; whether the connection is still there.
    func carry(from end: Int, atMost limit: Int) -> Bool {
        let (source, target) = end == 0 ? (first.rawValue, second.rawValue) : (second.rawValue, first.rawValue)
        if held[end].isEmpty {
            var bytes = [UInt8](repeating: 0, count: limit)
            let count = recv(source, &bytes, limit, CInt(MSG_DONTWAIT))
            guard count > 0 else { return count < 0 && errno == EAGAIN }
            held[end] = Array(bytes[..<count])
        }
        let count = send(target, held[end], held[end].count, CInt(MSG_DONTWAIT | MSG_NOSIGNAL))
        guard count > 0 else { return errno == EAGAIN }
        held[end].removeFirst(count)
        return true
    }
}

/// One end of a stream in the test's hands.
private final class Talker {
    private let socket: OwnedDescriptor
    /// All that it has to say.
    var words: [UInt8]
    private(set) var heard: [UInt8] = []
    private(set) var sawEnd = false
    private(set) var wasReset = false
    private var said = 0
    private var hasSaidEnd = false
    private var greeting: [UInt8]

    init(_ descriptor: CInt, says words: [UInt8], hearsFirst greeting: String = "") {
        socket = OwnedDescriptor(owning: descriptor)
        (self.words, self.greeting) = (words, Array(greeting.utf8))
    }

    /// The first byte, once it has come.
    func listenForName() -> UInt8? {
        hear(atMost: 1)
        return heard.first
    }

    /// Says and hears something, or nothing.
    func act(_ random: inout SeededGenerator) throws {
        say(atMost: Int.random(in: 1...2000, using: &random))
        hear(atMost: Int.random(in: 1...2000, using: &random))
        let count = min(greeting.count, heard.count)
        try #require(heard.prefix(count) == greeting.prefix(count))
        guard count == greeting.count, count > 0 else { return }
        heard.removeFirst(count)
        greeting = []
    }

    private func say(atMost limit: Int) {
        let next = words[said..<min(said + limit, words.count)]
        if !next.isEmpty {
            said += max(0, send(socket.rawValue, Array(next), next.count, CInt(MSG_DONTWAIT | MSG_NOSIGNAL)))
        } else if !hasSaidEnd, greeting.isEmpty {
            // Who ends before there is an answer has given up.
            hasSaidEnd = true
            shutdown(socket.rawValue, CInt(SHUT_WR))
        }
    }

    private func hear(atMost limit: Int) {
        var bytes = [UInt8](repeating: 0, count: limit)
        let count = recv(socket.rawValue, &bytes, limit, CInt(MSG_DONTWAIT))
        if count > 0 { heard += bytes[..<count] }
        if count == 0 { sawEnd = true }
        if count < 0, errno != EAGAIN { wasReset = true }
    }
}
