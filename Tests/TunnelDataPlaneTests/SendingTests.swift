import Glibc
import LinuxSystem
import TendrilCore
import TestSupport
import Testing
import TunnelDataPlane
import TunnelProtocol

@Suite("What a lane sends, and when", .serialized)
struct SendingTests {
    private let harness: WorkerHarness
    private let peer: RawPeer
    private let counters = LaneCounters()
    /// The worker's end of the connection, and the peer's.
    private let ends: (worker: CInt, peer: CInt)
    private let packet = TestPacket.tcp("10.1.0.1", "10.2.0.5", payload: 20)

    init() throws {
        let network = try #require(IPPrefix("10.2.0.0/16"))
        let policy = ServerPolicy(routes: RouteTable([(network, 0)]), shoot: RouteTable([(network, true)]))
        harness = try WorkerHarness(.server(policy, FlowTable()))
        let pair = try WorkerHarness.socketPair(CInt(SOCK_STREAM.rawValue))
        let sessions = try SessionPair()
        ends = (pair.0, pair.1)
        peer = RawPeer(pair.1, try sessions.takeClient())
        harness.adopt(pair.0, try sessions.takeServer(), bound: RouteTable([(network, true)]), counters: counters)
        // What both sides say at first; the peer has no streams.
        try peer.write(RawPeer.frame(38, [1]))
        _ = peer.flush()
        for _ in 0..<5 { _ = harness.worker.turn(isWaiting: false) }
        _ = try peer.frames()
    }

    /// Has the worker make one turn with so many packets; returns how many it has sent, and whether all that it sent is one record.
    private func sends(_ count: Int) throws -> (packets: Int, isOneRecord: Bool) {
        let before = counters[.sentBytes]
        for _ in 0..<count { harness.send(packet) }
        _ = harness.worker.turn(isWaiting: false)
        // The head of a record ends in its length (RFC 8446 section 5.1).
        var head = [UInt8](repeating: 0, count: 5)
        _ = recv(ends.peer, &head, head.count, CInt(MSG_PEEK | MSG_DONTWAIT))
        let length = UInt64(head[3]) << 8 | UInt64(head[4])
        return (try peer.frames().count { $0.kind == 16 }, counters[.sentBytes] - before == 5 + length)
    }

    @Test("is a record of all the small packets that are there, and a single one does not wait for others")
    func coalesces() throws {
        for count in [1, 40, 1, 2, 1] {
            let sent = try sends(count)
            #expect(sent.packets == count && sent.isOneRecord, "\(count): \(sent)")
        }
    }

    @Test("is a peer's echo before any packet and any byte of a stream, however many of them wait")
    func controlFirst() throws {
        var size: CInt = 1
        setsockopt(ends.worker, SOL_SOCKET, SO_SNDBUF, &size, socklen_t(MemoryLayout<CInt>.size))
        let bulk = try openStream()
        defer { close(bulk) }
        let bytes = [UInt8](repeating: 0x61, count: 60_000)
        func fill() {
            for _ in 0..<32 { harness.send(packet) }
            _ = Glibc.send(bulk, bytes, bytes.count, CInt(MSG_DONTWAIT | MSG_NOSIGNAL))
            _ = harness.worker.turn(isWaiting: false)
        }
        // Nobody reads at the other end, until nothing leaves any more.
        for _ in 0..<50 { fill() }
        let before = (packets: counters[.sentPackets], bytes: counters[.streamSentBytes])
        try peer.write(RawPeer.frame(2, [UInt8](repeating: 7, count: 16)))
        _ = peer.flush()
        for _ in 0..<5 { fill() }
        #expect(counters[.sentPackets] == before.packets && counters[.streamSentBytes] == before.bytes)
        var (packets, streamed, echoes) = (UInt64(0), UInt64(0), 0)
        for _ in 0..<100_000 where echoes == 0 || packets <= before.packets || streamed <= before.bytes {
            for frame in try peer.frames() {
                switch frame.kind {
                case 3:
                    // Behind what was encrypted before the peer asked, and before everything else.
                    #expect(packets == before.packets && streamed == before.bytes)
                    #expect(frame.payload == [UInt8](repeating: 7, count: 16))
                    echoes += 1
                case 16: packets += 1
                case 34: streamed += UInt64(frame.payload.count - 12)
                default: break
                }
            }
            _ = harness.worker.turn(isWaiting: false)
        }
        #expect(echoes == 1 && packets > before.packets && streamed > before.bytes && harness.ends.isEmpty)
    }

    /// Opens a stream that the worker's side asks for; returns the end of its connection that the test has.
    private func openStream() throws -> CInt {
        let ends = try WorkerHarness.socketPair(CInt(SOCK_STREAM.rawValue))
        let now = Clock.now()
        let socket = StreamSocket(owning: OwnedDescriptor(owning: ends.1))
        let request = StreamRequest(socket, to: .apiServer, style: .plain, at: now, deadline: now + .seconds(600))
        harness.worker.offer(request, link: 0, lane: 0)
        for _ in 0..<3 { _ = harness.worker.turn(isWaiting: false) }
        let asked = try peer.frames().filter { $0.kind == 32 }
        let open = try #require(asked.first)
        try peer.write(RawPeer.frame(33, open.payload[..<4] + RawPeer.number(1 << 20, 4)))
        _ = peer.flush()
        for _ in 0..<3 { _ = harness.worker.turn(isWaiting: false) }
        return ends.0
    }
}
