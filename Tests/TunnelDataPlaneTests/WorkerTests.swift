import Glibc
import LinuxSystem
import TLSEngine
import TendrilCore
import TestSupport
import Testing
import TunnelDataPlane
import TunnelProtocol

private func table(_ networks: String...) -> RouteTable<Bool> {
    RouteTable(networks.compactMap { IPPrefix($0) }.map { ($0, true) })
}

@Suite("A server's worker and a hostile client", .serialized)
struct HostileClientTests {
    private let bound = table("10.2.0.0/16", "fd02::/64")

    private func start() throws -> (WorkerHarness, RawPeer) {
        let services = [InboundService("tcp/10.1.0.9:443")].compactMap { $0 }
        let routes = RouteTable(["10.2.0.0/16", "fd02::/64"].compactMap { IPPrefix($0) }.map { ($0, 0) })
        let shoot = table("10.2.0.0/16", "10.3.0.0/16", "fd02::/64")
        let policy = ServerPolicy(routes: routes, shoot: shoot, services: services)
        let harness = try WorkerHarness(.server(policy, FlowTable()))
        let ends = try WorkerHarness.socketPair(CInt(SOCK_STREAM.rawValue))
        let pair = try SessionPair()
        harness.adopt(ends.0, try pair.takeServer(), bound: bound)
        return (harness, RawPeer(ends.1, try pair.takeClient()))
    }

    @Test("delivers exactly what the model allows, of a million crafted packets")
    func deliversWhatModelAllows() throws {
        let (harness, peer) = try start()
        var random = SeededGenerator(seed: 42)
        var model = Model()
        // The seed side opens some flows; their answers are allowed from here on.
        for port in 1000..<1040 as Range<UInt16> {
            for packet in [
                TestPacket.tcp("10.1.0.1", "10.2.0.5", ports: (port, 80), flags: 2),
                TestPacket.udp("10.1.0.1", "10.2.0.5", ports: (port, 53)),
                TestPacket.icmp("10.1.0.1", "10.2.0.5", kind: 8, identifier: port),
            ] {
                harness.send(packet)
                model.opened(packet)
                _ = harness.worker.turn(isWaiting: false)
            }
        }
        var expected: UInt64 = 0
        var delivered: UInt64 = 0
        var count = 0
        // Sanitizers make a packet cost fifty times as much.
        let goal = AllocationProbe.isCounting ? 1_000_000 : 20_000
        while count < goal {
            var frames: [UInt8] = []
            for _ in 0..<200 {
                let packet = Self.craft(&random)
                if model.allows(packet) { expected &+= Self.digest(packet) }
                frames += RawPeer.frame(16, Array(repeating: 0, count: 10) + packet)
                count += 1
            }
            try peer.write(frames)
            repeat {
                _ = harness.worker.turn(isWaiting: false)
                while let packet = harness.receive() { delivered &+= Self.digest(packet) }
            } while !peer.flush()
            _ = harness.worker.turn(isWaiting: false)
            while let packet = harness.receive() { delivered &+= Self.digest(packet) }
        }
        #expect(harness.ends.isEmpty, "\(harness.ends)")
        #expect(delivered == expected && expected != 0)
    }

    /// The order of packets does not matter to the sum; which ones they are does.
    private static func digest(_ packet: [UInt8]) -> UInt64 {
        packet.reduce(14_695_981_039_346_656_037) { ($0 ^ UInt64($1)) &* 1_099_511_628_211 } | 1
    }

    private static func craft(_ random: inout SeededGenerator) -> [UInt8] {
        let sources = ["10.2.0.5", "10.2.9.9", "10.3.0.5", "10.1.0.1", "127.0.0.1", "192.0.2.1", "169.254.169.254"]
        let destinations = ["10.1.0.1", "10.1.0.9", "10.2.0.7", "10.3.0.1", "127.0.0.1", "224.0.0.1", "10.99.0.1"]
        let source = sources[random.next() % 3 == 0 ? Int(random.next() % 7) : 0]
        let destination = destinations[random.next() % 3 == 0 ? Int(random.next() % 7) : Int(random.next() % 2)]
        let port = UInt16(990 + random.next() % 60)
        var packet: [UInt8]
        switch random.next() % 4 {
        case 0:
            let flags = [0x02, 0x10, 0x12, 0x04, 0x18, 0x00][Int(random.next() % 6)] as UInt8
            packet = TestPacket.tcp(
                source,
                destination,
                ports: random.next() % 2 == 0 ? (80, port) : (port, 443),
                flags: flags
            )
        case 1: packet = TestPacket.udp(source, destination, ports: (random.next() % 2 == 0 ? 53 : 54, port))
        case 2:
            packet = TestPacket.icmp(
                source,
                destination,
                kind: [0, 8, 3, 5, 11][Int(random.next() % 5)],
                identifier: port
            )
        default:
            packet = TestPacket.packet(
                source,
                destination,
                transport: UInt8(random.next() % 150),
                checksumAt: nil,
                Array(repeating: 0, count: 24)
            )
        }
        if random.next() % 4 == 0 {
            let position = Int(random.next() % UInt64(packet.count))
            packet[position] = UInt8(truncatingIfNeeded: random.next())
        }
        return packet
    }

    /// What may pass, written down once more and as plainly as possible.
    private struct Model {
        private var flows: Set<[UInt8]> = []

        mutating func opened(_ packet: [UInt8]) { flows.insert(Self.flow(packet, isReply: false)) }

        private static func flow(_ packet: [UInt8], isReply: Bool) -> [UInt8] {
            let (source, destination) = (Array(packet[12..<16]), Array(packet[16..<20]))
            let isICMP = packet[9] == 1
            let from = isICMP ? Array(packet[24..<26]) : Array(packet[20..<22])
            let to = isICMP ? Array(packet[24..<26]) : Array(packet[22..<24])
            return [packet[9]] + (isReply ? destination + to + source + from : source + from + destination + to)
        }

        func allows(_ packet: [UInt8]) -> Bool {
            // IPv4 without options and fragments, its length right.
            guard packet[0] == 0x45, Int(packet[2]) << 8 | Int(packet[3]) == packet.count, packet[6] & 0xBF == 0,
                packet[7] == 0
            else { return false }
            // From 10.2/16, and to an address outside the shoot that a packet may be for.
            guard packet[12] == 10, packet[13] == 2 else { return false }
            let first = packet[16]
            guard first != 0, first != 127, first < 224, !(first == 169 && packet[17] == 254) else { return false }
            guard !(first == 10 && (packet[17] == 2 || packet[17] == 3)) else { return false }
            switch packet[9] {
            case 6:
                guard packet.count >= 40, case let header = Int(packet[32] >> 4) * 4, header >= 20,
                    20 + header <= packet.count, packet[20] | packet[21] != 0, packet[22] | packet[23] != 0
                else { return false }
                if Array(packet[16..<20]) == [10, 1, 0, 9], packet[22] == 1, packet[23] == 187 { return true }
                return packet[33] & 0x12 != 0x02 && flows.contains(Self.flow(packet, isReply: true))
            case 17:
                guard packet.count >= 28, Int(packet[24]) << 8 | Int(packet[25]) == packet.count - 20,
                    packet[22] | packet[23] != 0
                else { return false }
                return flows.contains(Self.flow(packet, isReply: true))
            case 1:
                return packet.count >= 28 && packet[20] == 0 && flows.contains(Self.flow(packet, isReply: true))
            default: return false
            }
        }
    }

    @Test(
        "ends a lane on the first frame that breaks the protocol",
        arguments: [
            [0, 0, 0, 0], [99, 0, 0, 0], [16, 255, 255, 255], [2, 0, 0, 1, 0], [5, 0, 0, 9, 0], [1, 0, 0, 1, 0],
            [4, 0, 0, 0],
            [6, 0, 0, 2, 0xFF, 0xFF],
        ] as [[UInt8]]
    )
    func endsOnViolation(bytes: [UInt8]) throws {
        let (harness, peer) = try start()
        try peer.write(bytes + Array(repeating: 0, count: 64))
        _ = peer.flush()
        for _ in 0..<5 where harness.ends.isEmpty { _ = harness.worker.turn() }
        guard case .violation? = harness.ends.first else {
            Issue.record("\(harness.ends)")
            return
        }
    }

    @Test("never traps on an authenticated peer's random frames", arguments: 1...40 as ClosedRange<UInt64>)
    func survivesRandomFrames(seed: UInt64) throws {
        let (harness, peer) = try start()
        var random = SeededGenerator(seed: seed)
        for _ in 0..<300 where harness.ends.isEmpty {
            let kind = [2, 3, 5, 16, 16, 16][Int(random.next() % 6)] as UInt8
            let length = kind == 16 ? 30 + Int(random.next() % 3000) : kind == 5 ? 0 : 16
            var payload = (0..<length).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            if kind == 16, random.next() % 2 == 0 {
                payload.replaceSubrange(10..<30, with: TestPacket.tcp("10.2.0.5", "10.1.0.1").prefix(20))
            }
            try peer.write(RawPeer.frame(kind, payload))
            _ = peer.flush()
            _ = harness.worker.turn(isWaiting: false)
        }
    }
}

@Suite("The data path", .serialized)
struct AllocationTests {
    @Test("allocates nothing per batch, in either direction")
    func allocatesNothing() throws {
        try #require(AllocationProbe.isCounting, "sanitizers need the allocator for themselves")
        let policy = ServerPolicy(
            routes: RouteTable([IPPrefix("10.2.0.0/16")].compactMap { $0 }.map { ($0, 0) }),
            shoot: table("10.2.0.0/16")
        )
        let server = try WorkerHarness(.server(policy, FlowTable()))
        let client = try WorkerHarness(
            .client(ClientPolicy(served: table("10.2.0.0/16"), remote: table("10.1.0.0/16"), links: [0]), ReturnPaths())
        )
        let ends = try WorkerHarness.socketPair(CInt(SOCK_STREAM.rawValue))
        let sessions = try SessionPair()
        server.adopt(ends.0, try sessions.takeServer(), bound: table("10.2.0.0/16"))
        client.adopt(ends.1, try sessions.takeClient(), bound: RouteTable())
        let request = TestPacket.tcp("10.1.0.1", "10.2.0.5", ports: (1000, 80), payload: 1400)
        let answer = TestPacket.tcp("10.2.0.5", "10.1.0.1", ports: (80, 1000), payload: 1400)
        var buffer = [UInt8](repeating: 0, count: 70_000)
        let header = [UInt8](repeating: 0, count: 10)
        let (there, back) = (header + request, header + answer)
        var carried = 0
        func round() {
            for _ in 0..<8 {
                _ = send(server.tun.rawValue, there, there.count, CInt(MSG_DONTWAIT))
                _ = send(client.tun.rawValue, back, back.count, CInt(MSG_DONTWAIT))
            }
            for _ in 0..<3 {
                _ = server.worker.turn(isWaiting: false)
                _ = client.worker.turn(isWaiting: false)
            }
            while recv(server.tun.rawValue, &buffer, buffer.count, CInt(MSG_DONTWAIT)) > 0 { carried += 1 }
            while recv(client.tun.rawValue, &buffer, buffer.count, CInt(MSG_DONTWAIT)) > 0 { carried += 1 }
        }
        for _ in 0..<200 { round() }
        carried = 0
        let before = AllocationProbe.count
        for _ in 0..<1000 { round() }
        let allocated = AllocationProbe.count - before
        #expect(carried >= 15_000)
        // A heartbeat a second and a look at TCP_INFO are not per batch, and allocate nothing either.
        #expect(allocated == 0, "\(allocated) allocations in 1000 rounds, \(carried) packets")
    }
}
