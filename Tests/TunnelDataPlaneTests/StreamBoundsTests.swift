import Glibc
import LinuxSystem
import TendrilCore
import Testing
import TunnelDataPlane
import TunnelProtocol

/// A server's worker with clients that take as much of it as they can.
@Suite("What one client can take of a server", .serialized)
final class StreamBoundsTests {
    private let listener: StreamSocket
    private let harness: WorkerHarness
    private let peer: RawPeer
    /// The worker's end of the connection to the first client.
    private let wire: CInt

    init() throws {
        let name = "@tendril-bounds-\(getpid())-\(UInt64.random(in: .min ... .max))"
        let address = try #require(SocketAddress(path: name))
        listener = try StreamSocket(listeningAt: address, backlog: 2048)
        harness = try WorkerHarness(
            .server(ServerPolicy(shoot: RouteTable()), FlowTable()),
            streamRules: StreamRules(services: [StreamTarget.apiServer.description: address])
        )
        let (sessions, ends) = (try SessionPair(), try WorkerHarness.socketPair(CInt(SOCK_STREAM.rawValue)))
        wire = ends.1
        peer = RawPeer(ends.0, try sessions.takeClient())
        harness.adopt(ends.1, try sessions.takeServer(), bound: RouteTable())
    }

    /// Has the kernel keep as little as it can for a client that reads nothing.
    private func narrow() {
        var size: CInt = 1
        setsockopt(wire, SOL_SOCKET, SO_SNDBUF, &size, socklen_t(MemoryLayout<CInt>.size))
    }

    /// One more lane, of the same link or of another.
    private func adopt(link: Int, lane: Int) throws -> RawPeer {
        let sessions = try SessionPair()
        let ends = try WorkerHarness.socketPair(CInt(SOCK_STREAM.rawValue))
        let session = try sessions.takeServer()
        harness.adopt(ends.1, session, bound: RouteTable(), link: link, lane: lane, generation: 2)
        return RawPeer(ends.0, try sessions.takeClient())
    }

    private func say(_ frames: [[UInt8]], from peer: RawPeer, awaiting count: Int = 0) throws -> [StreamReset.Reason] {
        try StreamWorkerTests.say(frames, to: harness, from: peer, awaiting: count).filter { $0.kind == 37 }
            .map { try StreamReset(Array($0.payload[4...])).reason }
    }

    private static func opens(_ count: Int, from first: Int = 0, window: UInt32 = 1 << 20) -> [[UInt8]] {
        (0..<count).map { RawPeer.open(UInt32((first + $0) * 2 + 1), StreamTarget.apiServer.bytes, window: window) }
    }

    private static func reset(_ id: Int) -> [UInt8] { RawPeer.frame(37, RawPeer.number(UInt64(id), 4) + [0, 1]) }

    @Test("Every refusal is told, however many streams are asked for at once")
    func tellsAll() throws {
        let target = StreamTarget.service("etcd").bytes
        let opens = (0..<3000).map { RawPeer.open(UInt32($0 * 2 + 1), target) }
        let resets = try say(opens, from: peer, awaiting: opens.count)
        #expect(resets.count == opens.count && Set(resets) == [.forbidden] && harness.ends.isEmpty)
    }

    @Test("The lane ends where more refusals wait than are kept, so that the next one tells what there is")
    func forgetsNone() throws {
        narrow()
        let target = StreamTarget.service("etcd").bytes
        var id: UInt32 = 1
        for _ in 0..<200 where harness.ends.isEmpty {
            for _ in 0..<1000 {
                try peer.write(RawPeer.open(id, target))
                id += 2
            }
            repeat { _ = harness.worker.turn(isWaiting: false) } while !peer.flush() && harness.ends.isEmpty
            usleep(5000)
        }
        guard case .notice(let notice) = harness.ends.first else {
            Issue.record("\(harness.ends)")
            return
        }
        #expect(notice.reason == .overloaded)
    }

    @Test(
        "Streams that are over leave the line of a lane that takes nothing",
        .enabled(if: AllocationProbe.isCounting, "sanitizers need the allocator for themselves")
    )
    func leavesLine() throws {
        narrow()
        var held: Int64 = 0
        for round in 0..<5000 {
            // By then what is told of them has filled the socket, for nobody reads.
            if round == 1000 {
                tick()
                held = AllocationProbe.held
            }
            let id = round * 2 + 1
            try peer.write((round == 0 ? RawPeer.frame(38, [1]) : []) + Self.opens(1, from: round)[0])
            while !peer.flush() { _ = harness.worker.turn(isWaiting: false) }
            for turn in 0..<1000 where turn < 2 || harness.worker.streamCounters[.active] == 0 {
                _ = harness.worker.turn(isWaiting: false)
            }
            if let caller = try listener.accept() { close(caller.descriptor) }
            try peer.write(Self.reset(id))
            while !peer.flush() { _ = harness.worker.turn(isWaiting: false) }
            for turn in 0..<1000 where turn < 1 || harness.worker.streamCounters[.active] > 0 {
                _ = harness.worker.turn(isWaiting: false)
            }
        }
        tick()
        #expect(harness.ends.isEmpty && harness.worker.streamCounters[.active] == 0, "\(harness.ends)")
        #expect(AllocationProbe.held - held < 1000, "\(AllocationProbe.held - held) pieces of memory are kept")
    }

    @Test("A client asks for so many streams on all lanes of its link together, and others for theirs beside it")
    func boundsAsking() throws {
        try #require(Privileges.raiseDescriptorLimit() > 3000)
        #expect(try say(Self.opens(700), from: peer) == [])
        let second = try adopt(link: 0, lane: 1)
        let resets = try say(Self.opens(700), from: second, awaiting: 376)
        #expect(resets.count == 376 && Set(resets) == [.overloaded])
        #expect(harness.worker.streamCounters[.active] == 1024)
        // Whoever ends some may ask for as many.
        let again = (0..<10).map { Self.reset($0 * 2 + 1) } + Self.opens(11, from: 5000)
        #expect(try say(again, from: peer, awaiting: 1) == [.overloaded])
        #expect(harness.worker.streamCounters[.active] == 1024)
        #expect(try say(Self.opens(10), from: adopt(link: 1, lane: 0)) == [])
        #expect(harness.worker.streamCounters[.active] == 1034 && harness.ends.isEmpty)
    }

    /// Waits until the worker has done what it does ten times a second.
    private func tick() {
        usleep(150_000)
        for _ in 0..<3 { _ = harness.worker.turn(isWaiting: false) }
    }

    /// The far ends of streams that were asked for, which say so much each, while the clients say that they live.
    private func far(_ count: Int, saying bytes: Int, to peers: [RawPeer]) throws -> [OwnedEnd] {
        var ends: [OwnedEnd] = []
        while let caller = try listener.accept() { ends.append(OwnedEnd(caller.descriptor, left: bytes)) }
        try #require(ends.count == count)
        for turn in 0..<20_000 where ends.contains(where: { $0.left > 0 }) {
            if turn % 32 == 0 {
                for peer in peers {
                    try peer.write(RawPeer.frame(2, RawPeer.number(0, 16)))
                    _ = peer.flush()
                }
            }
            for end in ends { end.say() }
            _ = harness.worker.turn(isWaiting: false)
        }
        #expect(ends.allSatisfy { $0.left == 0 })
        tick()
        return ends
    }

    @Test("What counts is the memory that is held, and not how few bytes of it still mean anything")
    func countsPages() throws {
        _ = try say(Self.opens(1), from: peer)
        let ends = try far(1, saying: 60_000, to: [peer])
        #expect(harness.worker.streamCounters[.heldBytes] == 15 * 4096)
        for (received, held) in [(59_999, 15 * 4096), (60_000, 0)] as [(UInt64, UInt64)] {
            let numbers = RawPeer.number(1, 4) + RawPeer.number(received, 8) + RawPeer.number(1 << 20, 8)
            _ = try say([RawPeer.frame(35, numbers)], from: peer)
            tick()
            #expect(harness.worker.streamCounters[.heldBytes] == held, "\(received)")
        }
        #expect(ends.allSatisfy { !$0.isOver } && harness.ends.isEmpty)
    }

    @Test("A client that takes all memory there is costs others none of their streams")
    func sharesMemory() throws {
        let budget: UInt64 = 32 << 20
        // The bytes of a frame take 64 KiB, with the room for its head.
        let piece = StreamFrame.maximumData
        _ = try say(Self.opens(64, window: 512 << 10), from: peer)
        let greedy = try far(64, saying: 8 * piece, to: [peer])
        #expect(harness.worker.streamCounters[.heldBytes] == budget)
        // Whoever holds all of it gets no more, and others still do.
        let other = try adopt(link: 1, lane: 0)
        for (link, isRefused) in [(0, true), (1, false)] {
            let ends = try WorkerHarness.socketPair(CInt(SOCK_STREAM.rawValue))
            defer { close(ends.1) }
            let socket = StreamSocket(owning: OwnedDescriptor(owning: ends.0))
            let now = Clock.now()
            let request = StreamRequest(socket, to: .apiServer, style: .plain, at: now, deadline: now + .seconds(60))
            harness.worker.offer(request, link: link, lane: 0)
            _ = harness.worker.turn(isWaiting: false)
            #expect(harness.takeRefusals().isEmpty == !isRefused, "link \(link)")
        }
        // One that holds more than any of the greedy one's.
        _ = try say(Self.opens(1), from: other)
        let modest = try far(1, saying: 16 * piece, to: [peer, other])
        #expect(harness.worker.streamCounters[.heldBytes] <= budget)
        #expect(modest.allSatisfy { !$0.isOver } && greedy.count(where: \.isOver) == 2)
        #expect(harness.ends.isEmpty, "\(harness.ends)")
    }
}

/// The far end of a stream, in the test's hands.
private final class OwnedEnd {
    private let socket: OwnedDescriptor
    /// How many bytes it has still to say.
    private(set) var left: Int
    private static let words = [UInt8](repeating: 0x61, count: 65536)

    init(_ descriptor: CInt, left: Int) {
        socket = OwnedDescriptor(owning: descriptor)
        self.left = left
    }

    func say() {
        let flags = CInt(MSG_DONTWAIT | MSG_NOSIGNAL)
        if left > 0 { left -= max(0, send(socket.rawValue, Self.words, min(left, Self.words.count), flags)) }
    }

    /// Whether the other end has gone.
    var isOver: Bool {
        var byte: UInt8 = 0
        let count = recv(socket.rawValue, &byte, 1, CInt(MSG_DONTWAIT))
        return count == 0 || count < 0 && errno != EAGAIN
    }
}
