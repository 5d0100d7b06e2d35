import Glibc
import LinuxSystem
import TLSEngine
import TendrilCore
import TestSupport
import Testing
import TunnelDataPlane
import TunnelProtocol

/// A server's worker with an authenticated client that says what it likes on streams.
@Suite("A server's streams and a hostile client")
struct StreamWorkerTests {
    private let harness: WorkerHarness
    private let peer: RawPeer

    init() throws {
        let api = SocketAddress(try #require(IPAddress("127.0.0.1")), port: 1)
        (harness, peer) = try Self.pair(
            .server(ServerPolicy(shoot: RouteTable()), FlowTable()),
            StreamRules(services: [StreamTarget.apiServer.description: api])
        )
    }

    private static func pair(
        _ side: PacketSide,
        _ rules: StreamRules,
        run: UInt128? = nil
    ) throws -> (WorkerHarness, RawPeer) {
        let harness = try WorkerHarness(side, streamRules: rules)
        let sessions = try SessionPair()
        let pair = try WorkerHarness.socketPair(CInt(SOCK_STREAM.rawValue))
        harness.adopt(pair.1, try sessions.takeServer(), bound: RouteTable(), run: run)
        return (harness, RawPeer(pair.0, try sessions.takeClient()))
    }

    private func say(_ frames: [[UInt8]], awaiting count: Int = 0) throws -> [(kind: UInt8, payload: [UInt8])] {
        try Self.say(frames, to: harness, from: peer, awaiting: count)
    }

    /// Says something and returns what is answered: so many refusals, for which others than the worker may have to do something.
    static func say(
        _ frames: [[UInt8]],
        to harness: WorkerHarness,
        from peer: RawPeer,
        awaiting count: Int = 0
    ) throws -> [(kind: UInt8, payload: [UInt8])] {
        // An empty list of streams: what a client says first.
        try peer.write(RawPeer.frame(38, [1]) + frames.flatMap { $0 })
        while !peer.flush(), harness.ends.isEmpty { _ = harness.worker.turn(isWaiting: false) }
        var answers: [(kind: UInt8, payload: [UInt8])] = []
        for turn in 0..<20_000 where turn < 20 || answers.count(where: { $0.kind == 37 }) < count {
            _ = harness.worker.turn(isWaiting: false)
            usleep(1000)
            answers += try peer.frames()
        }
        return answers
    }

    @Test("Nothing but the one named service is connected to, however it is asked for")
    func onlyTheService() throws {
        let targets: [StreamTarget] = [
            .address(try #require(IPAddress("127.0.0.1")), port: 22),
            .address(try #require(IPAddress("10.1.0.10")), port: 443),
            .address(try #require(IPAddress("169.254.169.254")), port: 80),
            .address(try #require(IPAddress("::1")), port: 22), .name("localhost", port: 22),
            .name("kube-apiserver", port: 443), .service("status"), .service("etcd"),
        ]
        let opens = targets.enumerated().map { RawPeer.open(UInt32($0 * 2 + 1), $1.bytes) }
        let answers = try say(opens, awaiting: targets.count).filter { $0.kind == 37 }
        #expect(answers.count == targets.count)
        for answer in answers {
            let reset = try StreamReset(Array(answer.payload[4...]))
            #expect(reset.reason == .forbidden, "\(reset)")
        }
        #expect(harness.ends.isEmpty)
        // The service itself is dialled: here nobody listens at it.
        let service = try say([RawPeer.open(101, StreamTarget.apiServer.bytes)], awaiting: 1).filter { $0.kind == 37 }
        #expect(try StreamReset(Array(try #require(service.first).payload[4...])).reason == .refused)
    }

    @Test("A client connects to addresses in its own networks only, and judges a name by what it stands for")
    func onlyOwnNetworks() throws {
        let everything = try RouteTable([
            (#require(IPPrefix("127.0.0.0/8")), true), (#require(IPPrefix("169.254.0.0/16")), true),
            (#require(IPPrefix("10.2.0.0/16")), true),
        ])
        let rules = StreamRules(networks: everything, resolvesNames: true)
        let (harness, peer) = try Self.pair(
            .client(ClientPolicy(served: RouteTable(), remote: RouteTable()), ReturnPaths()),
            rules
        )
        let targets: [StreamTarget] = [
            .address(try #require(IPAddress("127.0.0.1")), port: 22),
            .address(try #require(IPAddress("169.254.169.254")), port: 80),
            .address(try #require(IPAddress("10.3.0.1")), port: 80), .name("localhost", port: 22), .apiServer,
        ]
        let opens = targets.enumerated().map { RawPeer.open(UInt32($0 * 2 + 2), $1.bytes) }
        let answers = try Self.say(opens, to: harness, from: peer, awaiting: targets.count).filter { $0.kind == 37 }
        #expect(answers.count == targets.count)
        for answer in answers { #expect(try StreamReset(Array(answer.payload[4...])).reason == .forbidden) }
    }

    @Test("What is named besides is dialled under that name and port alone, and never on this machine or its link")
    func outside() throws {
        let wanted = StreamTarget.name("login.example.org", port: 443)
        let local = StreamTarget.name("localhost", port: 22)
        let own = SocketAddress(try #require(IPAddress("192.0.2.100")), port: 443)
        let rules = StreamRules(resolvesNames: true, outside: [wanted, local], own: own)
        let host = try #require(IPAddress("198.51.100.7"))
        let address = SocketAddress(host, port: 443)
        #expect(rules.allows(address, for: wanted))
        // Where pods of this machine find the API server; what else is at that address is not meant.
        #expect(!rules.allows(own, for: wanted))
        #expect(rules.allows(SocketAddress(try #require(own.address), port: 10250), for: wanted))
        // As a resolver gives it, with a zone that leads there all the same.
        let resolved = try SocketAddress.resolve(Endpoint(host: "::ffff:192.0.2.100%1", port: 443))
        let mapped = try #require(resolved.first)
        #expect(mapped.address == own.address && mapped != own)
        #expect(!rules.allows(mapped, for: wanted))
        let others: [StreamTarget] = [
            .name("login.example.org", port: 80), .name("other.example.org", port: 443), .address(host, port: 443),
            .service("login.example.org"),
        ]
        for other in others { #expect(!rules.allows(address, for: other), "\(other)") }
        for text in ["127.0.0.1", "::1", "169.254.169.254", "fe80::1", "100.100.100.200"] {
            let never = SocketAddress(try #require(IPAddress(text)), port: 443)
            #expect(!rules.allows(never, for: wanted), "\(text)")
        }
        let side = PacketSide.client(ClientPolicy(served: RouteTable(), remote: RouteTable()), ReturnPaths())
        let (harness, peer) = try Self.pair(side, rules)
        let answers = try Self.say([RawPeer.open(2, local.bytes)], to: harness, from: peer, awaiting: 1)
            .filter { $0.kind == 37 }
        #expect(try StreamReset(Array(try #require(answers.first).payload[4...])).reason == .forbidden)
    }

    @Test(
        "The lane ends on the first frame that breaks the books",
        arguments: [
            RawPeer.frame(32, [0, 0, 0, 2, 0, 1, 0, 0, 4, 0, 0] + Array("x".utf8)),  // the server's own number
            RawPeer.frame(32, [0, 0, 0, 1, 0, 1, 0, 0, 9, 0, 0, 1]),  // no kind of target
            RawPeer.frame(38, [2]), RawPeer.frame(38, [1, 0]), RawPeer.frame(39, []),
        ]
    )
    func violations(frame: [UInt8]) throws {
        _ = try say([frame])
        guard case .violation = harness.ends.first else {
            Issue.record("\(harness.ends)")
            return
        }
    }

    @Test(
        "A client that ends takes its streams along at once; those of one that may come back wait for it",
        arguments: [(.shuttingDown, 0), (.overloaded, 1)] as [(CloseNotice.Reason, UInt64)]
    )
    func peerEnds(reason: CloseNotice.Reason, left: UInt64) throws {
        let loopback = try #require(IPAddress("127.0.0.1"))
        let service = try StreamSocket(listeningAt: SocketAddress(loopback, port: 0))
        let address = service.localAddress()
        let rules = StreamRules(services: [StreamTarget.apiServer.description: try #require(address)])
        let side = PacketSide.server(ServerPolicy(shoot: RouteTable()), FlowTable())
        let (harness, peer) = try Self.pair(side, rules)
        _ = try Self.say([RawPeer.open(1, StreamTarget.apiServer.bytes)], to: harness, from: peer)
        #expect(harness.worker.streamCounters[.active] == 1)
        try peer.write(RawPeer.frame(6, CloseNotice(reason).bytes))
        _ = peer.flush()
        for _ in 0..<20 where harness.ends.isEmpty { _ = harness.worker.turn(isWaiting: false) }
        guard case .closed? = harness.ends.first else {
            Issue.record("\(harness.ends)")
            return
        }
        #expect(harness.worker.streamCounters[.active] == left)
        _ = service.localAddress()
    }

    @Test("A client that ends takes those of its streams along that wait for another lane, of another worker")
    func peerEndsElsewhere() throws {
        let loopback = try #require(IPAddress("127.0.0.1"))
        let service = try StreamSocket(listeningAt: SocketAddress(loopback, port: 0))
        let address = service.localAddress()
        let rules = StreamRules(services: [StreamTarget.apiServer.description: try #require(address)])
        let crew = try WorkerHarness.crew(2, .server(ServerPolicy(shoot: RouteTable()), FlowTable()), rules)
        var peers: [RawPeer] = []
        for (lane, harness) in crew.enumerated() {
            let sessions = try SessionPair()
            let pair = try WorkerHarness.socketPair(CInt(SOCK_STREAM.rawValue))
            harness.adopt(pair.1, try sessions.takeServer(), bound: RouteTable(), lane: lane, run: 1)
            peers.append(RawPeer(pair.0, try sessions.takeClient()))
        }
        // The number says that it was asked for on the second lane.
        _ = try Self.say([RawPeer.open(3, StreamTarget.apiServer.bytes)], to: crew[1], from: peers[1])
        peers.removeLast()
        for _ in 0..<20 where crew[1].ends.isEmpty { _ = crew[1].worker.turn(isWaiting: false) }
        #expect(crew[1].ends.count == 1 && crew[1].worker.streamCounters[.active] == 1)
        try peers[0].write(RawPeer.frame(6, CloseNotice(.shuttingDown).bytes))
        _ = peers[0].flush()
        for _ in 0..<20 where crew[0].ends.isEmpty { _ = crew[0].worker.turn(isWaiting: false) }
        #expect(crew[0].ends.count == 1)
        for _ in 0..<5 { _ = crew[1].worker.turn(isWaiting: false) }
        #expect(crew[1].worker.streamCounters[.active] == 0)
        _ = service.localAddress()
    }

    /// A server's worker, and a client that lets streams go from lane to lane.
    private func movingPair() throws -> (WorkerHarness, RawPeer) {
        try Self.pair(.server(ServerPolicy(shoot: RouteTable()), FlowTable()), StreamRules(), run: 1)
    }

    private func named(_ stream: UInt8, flag: UInt8 = 1) -> [UInt8] {
        RawPeer.frame(39, [0, 0, 0, 7, 0, 0, 0, stream] + [UInt8](repeating: 0, count: 16) + [flag])
    }

    @Test("A client that names streams which are not there is told so")
    func namesNothing() throws {
        let (harness, peer) = try movingPair()
        let answers = try Self.say([named(33), named(32)], to: harness, from: peer).filter { $0.kind == 39 }
        #expect(answers.map { $0.payload[3] } == [7, 7])
        #expect(answers.map { $0.payload[7] } == [33, 32] && answers.allSatisfy { $0.payload.last == 2 })
        #expect(harness.ends.isEmpty)
    }

    @Test(
        "A client gets no stream of another's by naming it, not even under the same number of a link",
        arguments: [(1, 1), (1, 2), (0, 2), (0, 1)] as [(Int, UInt128)]
    )
    func namesOthers(link: Int, run: UInt128) throws {
        let loopback = try #require(IPAddress("127.0.0.1"))
        let service = try StreamSocket(listeningAt: SocketAddress(loopback, port: 0))
        let address = service.localAddress()
        let rules = StreamRules(services: [StreamTarget.apiServer.description: try #require(address)])
        let side = PacketSide.server(ServerPolicy(shoot: RouteTable()), FlowTable())
        let (harness, owner) = try Self.pair(side, rules, run: 1)
        _ = try Self.say([RawPeer.open(33, StreamTarget.apiServer.bytes)], to: harness, from: owner)
        #expect(harness.worker.streamCounters[.active] == 1)
        let sessions = try SessionPair()
        let ends = try WorkerHarness.socketPair(CInt(SOCK_STREAM.rawValue))
        let session = try sessions.takeServer()
        harness.adopt(ends.1, session, bound: RouteTable(), link: link, lane: 1, generation: 2, run: run)
        let peer = RawPeer(ends.0, try sessions.takeClient())
        let answers = try Self.say([named(33)], to: harness, from: peer).filter { $0.kind == 39 }
        let isOwn = (link, run) == (0, 1)
        #expect(answers.map(\.payload.last) == [isOwn ? 1 : 2])
        #expect(harness.worker.streamCounters[.resumed] == (isOwn ? 1 : 0))
        #expect(harness.worker.streamCounters[.active] == 1 && harness.ends.isEmpty)
        _ = service.localAddress()
    }

    @Test("The lane ends on streams that may not move, on numbers of other lanes, and on words that nobody would say")
    func movingViolations() throws {
        for (frame, moves) in [
            (named(33), false), (named(33, flag: 2), true), (named(33, flag: 3), true),
            (RawPeer.open(35, StreamTarget.apiServer.bytes), true),
        ] {
            let (harness, peer) = moves ? try movingPair() : (self.harness, self.peer)
            _ = try Self.say([frame], to: harness, from: peer)
            guard case .violation = harness.ends.first else {
                Issue.record("\(frame): \(harness.ends)")
                continue
            }
        }
    }

    @Test("The lane ends when a client names more and more streams and takes no answer")
    func namesWithoutEnd() throws {
        let (harness, peer) = try movingPair()
        let entry: [UInt8] = [0, 0, 0, 33] + [UInt8](repeating: 0, count: 16) + [1]
        let frame = RawPeer.frame(39, [0, 0, 0, 7] + (0..<512).flatMap { _ in entry })
        for _ in 0..<2000 where harness.ends.isEmpty {
            try peer.write(frame)
            while !peer.flush(), harness.ends.isEmpty { _ = harness.worker.turn(isWaiting: false) }
        }
        guard case .violation(.overrun) = harness.ends.first else {
            Issue.record("\(harness.ends)")
            return
        }
    }

    @Test("Frames about streams that are not there change nothing")
    func unknown() throws {
        let id: [UInt8] = [0, 0, 0, 9]
        let zeros = [UInt8](repeating: 0, count: 8)
        _ = try say([
            RawPeer.frame(33, id + [0, 1, 0, 0]), RawPeer.frame(34, id + zeros + [1, 2, 3]),
            RawPeer.frame(35, id + zeros + zeros), RawPeer.frame(36, id + zeros), RawPeer.frame(37, id + [0, 1]),
        ])
        #expect(harness.ends.isEmpty)
    }

    @Test("Random frames of streams trap nothing", arguments: 0..<40 as Range<UInt64>)
    func random(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<200 where harness.ends.isEmpty {
            var frame: [UInt8]
            if Bool.random(using: &random) {
                frame = RawPeer.open(UInt32.random(in: 0...9, using: &random), StreamTarget.apiServer.bytes)
            } else {
                let count = [1, 8, 12, 20, 22, 30].randomElement(using: &random) ?? 1
                let payload = (0..<count).map { index in
                    index < 3 ? 0 : UInt8.random(in: 0...(index < 4 ? 9 : 255), using: &random)
                }
                frame = RawPeer.frame(UInt8.random(in: 32...39, using: &random), payload)
            }
            if Int.random(in: 0..<20, using: &random) == 0 { frame.removeLast() }
            try peer.write(frame)
            while !peer.flush() { _ = harness.worker.turn(isWaiting: false) }
            _ = harness.worker.turn(isWaiting: false)
        }
    }
}
