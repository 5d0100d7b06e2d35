import Glibc
import LinuxSystem
import TendrilCore
import TestSupport
import Testing
import TunnelDataPlane
import TunnelProtocol

@Suite("The data path", .serialized)
struct AllocationTests {
    /// Counts what 1000 rounds allocate, once everything has the size that it needs.
    ///
    /// What waits at once, and so what a list has to hold, depends on when this thread has the processor. Growth comes to
    /// an end; what is allocated for each piece is there in every attempt.
    private func allocations(of round: () -> Void) throws -> UInt64 {
        try #require(AllocationProbe.isCounting, "sanitizers need the allocator for themselves")
        for _ in 0..<200 { round() }
        var allocated: UInt64 = 0
        for _ in 0..<3 {
            let before = AllocationProbe.count
            for _ in 0..<1000 { round() }
            allocated = AllocationProbe.count - before
            if allocated == 0 { break }
        }
        return allocated
    }

    // A heartbeat a second and a look at TCP_INFO are not per batch, and allocate nothing either.

    @Test("allocates nothing per batch of TCP, in either direction")
    func segments() throws {
        let pair = try WorkerPair()
        let there = plain(TestPacket.tcp("10.1.0.1", "10.2.0.5", ports: (1000, 80), payload: 1400))
        let back = plain(TestPacket.tcp("10.2.0.5", "10.1.0.1", ports: (80, 1000), payload: 1400))
        let allocated = try allocations { pair.carry(there, back) }
        #expect(pair.packets >= 18_000)
        #expect(allocated == 0, "\(allocated) allocations, \(pair.packets) packets")
    }

    @Test("allocates nothing per batch of datagrams, which are put together for the kernel")
    func datagrams() throws {
        let pair = try WorkerPair()
        let there = unfinished(TestPacket.udp("10.1.0.1", "10.2.0.5", ports: (1000, 53), payload: 1200))
        let back = unfinished(TestPacket.udp("10.2.0.5", "10.1.0.1", ports: (53, 1000), payload: 1200))
        let allocated = try allocations { pair.carry(there, back) }
        #expect(pair.bytes >= 18_000 * 1200 && pair.merged >= 2000, "\(pair.bytes) bytes, \(pair.merged) merged")
        #expect(allocated == 0, "\(allocated) allocations, \(pair.packets) packets")
    }

    private func plain(_ packet: [UInt8]) -> [UInt8] { [UInt8](repeating: 0, count: 10) + packet }

    /// An IPv4 datagram as the kernel leaves it to a device that computes checksums.
    private func unfinished(_ packet: [UInt8]) -> [UInt8] {
        var header = VirtioHeader()
        (header.flags, header.checksumStart, header.checksumOffset) = (VirtioHeader.needsChecksum, 20, 6)
        var bytes = [UInt8](repeating: 0, count: VirtioHeader.byteCount)
        var span = bytes.mutableSpan
        header.write(to: &span)
        return bytes + TestPacket.withPartialChecksum(packet)
    }

    @Test("allocates nothing per piece of a stream, small or large", arguments: [100, 40_000, 600_000])
    func streams(size: Int) throws {
        let pair = try WorkerPair()
        let ends = try StreamEnds(through: pair)
        let allocated = try allocations { ends.carry(size, through: pair) }
        #expect(ends.bytes >= 2 * 1200 * size)
        #expect(allocated == 0, "\(allocated) allocations, \(ends.bytes) bytes")
    }
}

/// A server's and a client's worker with a lane between them.
final class WorkerPair {
    let server: WorkerHarness
    let client: WorkerHarness
    /// The service that the client's side may connect to.
    let service: StreamSocket
    private(set) var packets = 0
    private(set) var bytes = 0
    /// Super-packets of datagrams among the packets.
    private(set) var merged = 0
    /// For whatever is read or written by the test.
    fileprivate var buffer = [UInt8](repeating: 0x61, count: 70_000)

    init() throws {
        let networks = try ["10.2.0.0/16", "10.1.0.0/16"].map { try #require(IPPrefix($0)) }
        let (shoot, seed) = (RouteTable([(networks[0], true)]), RouteTable([(networks[1], true)]))
        let policy = ServerPolicy(routes: RouteTable([(networks[0], 0)]), shoot: shoot)
        let loopback = try #require(IPAddress("127.0.0.1"))
        service = try StreamSocket(listeningAt: SocketAddress(loopback, port: 0))
        let address = service.localAddress()
        server = try WorkerHarness(
            .server(policy, FlowTable()),
            mergesDatagrams: true,
            streamRules: StreamRules(services: [
                StreamTarget.apiServer.description: try #require(address)
            ])
        )
        client = try WorkerHarness(
            .client(ClientPolicy(served: shoot, remote: seed, links: [0]), ReturnPaths()),
            mergesDatagrams: true
        )
        let ends = try WorkerHarness.socketPair(CInt(SOCK_STREAM.rawValue))
        let sessions = try SessionPair()
        server.adopt(ends.0, try sessions.takeServer(), bound: shoot)
        client.adopt(ends.1, try sessions.takeClient(), bound: RouteTable())
    }

    func turn() {
        _ = server.worker.turn(isWaiting: false)
        _ = client.worker.turn(isWaiting: false)
    }

    /// Carries eight packets in each direction, which come with their virtio headers.
    func carry(_ there: [UInt8], _ back: [UInt8]) {
        for _ in 0..<8 {
            _ = send(server.tun.rawValue, there, there.count, CInt(MSG_DONTWAIT))
            _ = send(client.tun.rawValue, back, back.count, CInt(MSG_DONTWAIT))
        }
        for _ in 0..<3 { turn() }
        take(from: server.tun.rawValue)
        take(from: client.tun.rawValue)
    }

    private func take(from tun: CInt) {
        while case let count = recv(tun, &buffer, buffer.count, CInt(MSG_DONTWAIT)), count > 0 {
            packets += 1
            bytes += count
            if buffer[1] == VirtioHeader.Segmentation.udp.rawValue { merged += 1 }
        }
    }
}

/// Both ends of a stream that the client's side opened.
final class StreamEnds {
    private let near: OwnedDescriptor
    private let far: OwnedDescriptor
    private(set) var bytes = 0

    init(through pair: WorkerPair) throws {
        let ends = try WorkerHarness.socketPair(CInt(SOCK_STREAM.rawValue))
        near = OwnedDescriptor(owning: ends.0)
        let socket = StreamSocket(owning: OwnedDescriptor(owning: ends.1))
        let now = Clock.now()
        let request = StreamRequest(socket, to: .apiServer, style: .plain, at: now, deadline: now + .seconds(5))
        pair.client.worker.offer(request, link: 0, lane: 0)
        var accepted: CInt?
        for _ in 0..<200 where accepted == nil {
            pair.turn()
            accepted = try pair.service.accept()?.descriptor
            usleep(1000)
        }
        far = OwnedDescriptor(owning: try #require(accepted))
    }

    /// Carries as many bytes in each direction.
    func carry(_ size: Int, through pair: WorkerPair) {
        var (sent, received) = ((near: 0, far: 0), (near: 0, far: 0))
        for _ in 0..<100_000 where received.near < size || received.far < size {
            sent.near += put(into: near, atMost: size - sent.near, pair)
            sent.far += put(into: far, atMost: size - sent.far, pair)
            pair.turn()
            received.near += take(from: near, pair)
            received.far += take(from: far, pair)
        }
        bytes += received.near + received.far
    }

    private func put(into end: borrowing OwnedDescriptor, atMost limit: Int, _ pair: WorkerPair) -> Int {
        let flags = CInt(MSG_DONTWAIT | MSG_NOSIGNAL)
        return limit > 0 ? max(send(end.rawValue, pair.buffer, min(limit, pair.buffer.count), flags), 0) : 0
    }

    private func take(from end: borrowing OwnedDescriptor, _ pair: WorkerPair) -> Int {
        var total = 0
        let room = pair.buffer.count
        while case let count = recv(end.rawValue, &pair.buffer, room, CInt(MSG_DONTWAIT)), count > 0 {
            total += count
        }
        return total
    }
}
