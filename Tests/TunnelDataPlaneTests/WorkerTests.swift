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

    private func start(mergesDatagrams: Bool = false) throws -> (WorkerHarness, RawPeer) {
        let services = [InboundService("tcp/10.1.0.9:443"), InboundService("tcp/[fd01::9]:443")].compactMap { $0 }
        let routes = RouteTable(["10.2.0.0/16", "fd02::/64"].compactMap { IPPrefix($0) }.map { ($0, 0) })
        let shoot = table("10.2.0.0/16", "10.3.0.0/16", "fd02::/64", "fd03::/64")
        let policy = ServerPolicy(routes: routes, shoot: shoot, services: services)
        let harness = try WorkerHarness(.server(policy, FlowTable()), mergesDatagrams: mergesDatagrams)
        let ends = try WorkerHarness.socketPair(CInt(SOCK_STREAM.rawValue))
        let pair = try SessionPair()
        harness.adopt(ends.0, try pair.takeServer(), bound: bound)
        return (harness, RawPeer(ends.1, try pair.takeClient()))
    }

    @Test("delivers exactly what the model allows, of a million crafted packets", arguments: [false, true])
    func deliversWhatModelAllows(mergesDatagrams: Bool) throws {
        let (harness, peer) = try start(mergesDatagrams: mergesDatagrams)
        var random = SeededGenerator(seed: mergesDatagrams ? 43 : 42)
        var model = HostilePacket.Model()
        var expected: UInt64 = 0
        var delivered: UInt64 = 0
        var (count, allowed, writes) = (0, 0, 0)
        func take() {
            while let whole = harness.receiveWhole() {
                writes += 1
                for piece in Self.pieces(whole) { delivered &+= Self.digest(piece) }
            }
        }
        // Sanitizers make a packet cost fifty times as much.
        let goal = AllocationProbe.isCounting ? 500_000 : 10_000
        var packet = HostilePacket.craft(&random)
        while count < goal {
            // They are let in for some minutes only, which a busy machine may need.
            if count % 50_000 == 0 { Self.open(harness, &model) }
            var frames: [UInt8] = []
            for _ in 0..<200 {
                // The same again may be put together with the one before.
                if random.next() % 4 != 0 { packet = HostilePacket.craft(&random) }
                let header = HostilePacket.header(before: packet, &random)
                if let whole = model.delivered(header, packet) {
                    allowed += 1
                    for piece in Self.pieces(whole) { expected &+= Self.digest(piece) }
                }
                frames += RawPeer.frame(16, header + packet)
                count += 1
            }
            try peer.write(frames)
            repeat {
                _ = harness.worker.turn(isWaiting: false)
                take()
            } while !peer.flush()
            _ = harness.worker.turn(isWaiting: false)
            take()
        }
        #expect(harness.ends.isEmpty, "\(harness.ends)")
        #expect(delivered == expected && expected != 0)
        // Of few packets none may be like the one before.
        let isMerged = mergesDatagrams && AllocationProbe.isCounting
        #expect(isMerged ? writes < allowed : writes <= allowed, "\(writes) writes of \(allowed) packets")
        #expect(mergesDatagrams || writes == allowed)
    }

    /// What the kernel is told to cut a packet into; all others as they are.
    ///
    /// Of datagrams whose checksum the kernel makes, it is their headers, but for lengths, numbers and checksums, which are made anew
    /// where several are put together, and the payload of each.
    private static func pieces(_ whole: [UInt8]) -> [[UInt8]] {
        let (header, packet) = (Array(whole[..<10]), Array(whole[10...]))
        let isV4 = packet[0] >> 4 == 4
        let start = isV4 ? 20 : 40
        guard header[0] == 1, packet[isV4 ? 9 : 6] == 17, header[1] == 0 || header[2] == UInt8(start + 8) else {
            return [whole]
        }
        var heads = Array(packet[..<(start + 4)])
        let anew = isV4 ? [2, 3, 4, 5, 10, 11] : [4, 5]
        for index in anew { heads[index] = 0 }
        let payload = packet[(start + 8)...]
        let size = header[1] == 5 ? Int(header[4]) + Int(header[5]) * 256 : payload.count
        guard size > 0 else { return [heads] }
        return stride(from: payload.startIndex, to: payload.endIndex, by: size).map { begin in
            heads + payload[begin..<min(begin + size, payload.endIndex)]
        }
    }

    /// Has the seed side send a packet of each flow that it knows.
    private static func open(_ harness: WorkerHarness, _ model: inout HostilePacket.Model) {
        for port in 1000..<1040 as Range<UInt16> {
            for (seed, shoot, ping) in [("10.1.0.1", "10.2.0.5", 8), ("fd01::1", "fd02::5", 128)] as [(_, _, UInt8)] {
                for packet in [
                    TestPacket.tcp(seed, shoot, ports: (port, 80), flags: 2),
                    TestPacket.udp(seed, shoot, ports: (port, 53)),
                    TestPacket.icmp(seed, shoot, kind: ping, identifier: port),
                ] {
                    harness.send(packet)
                    model.opened(packet)
                    _ = harness.worker.turn(isWaiting: false)
                }
            }
        }
    }

    /// The order of packets does not matter to the sum; which ones they are does.
    private static func digest(_ packet: [UInt8]) -> UInt64 {
        packet.reduce(14_695_981_039_346_656_037) { ($0 ^ UInt64($1)) &* 1_099_511_628_211 } | 1
    }

    @Test(
        "ends a lane on the first frame that breaks the protocol, and is told which rule it broke",
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
        guard case .violation(let violation)? = harness.ends.first else {
            Issue.record("\(harness.ends)")
            return
        }
        let said = try peer.frames().filter { $0.kind == 6 }.map(\.payload)
        #expect(said == [CloseNotice(.protocolViolation, violation.rawValue).bytes])
    }

    @Test("tells control code once that a peer is about to end, however often the peer says so")
    func tellsOnce() throws {
        let (harness, peer) = try start()
        for _ in 0..<3 {
            try peer.write((0..<1000).flatMap { _ in RawPeer.frame(7, []) })
            while !peer.flush() { _ = harness.worker.turn(isWaiting: false) }
            _ = harness.worker.turn(isWaiting: false)
        }
        #expect(harness.retirements == 1 && harness.ends.isEmpty, "\(harness.retirements), \(harness.ends)")
    }

    @Test("is told that a certificate has expired, and its lane ends, while others go on")
    func endsOnExpiry() throws {
        let (harness, peer) = try start()
        let ends = try WorkerHarness.socketPair(CInt(SOCK_STREAM.rawValue))
        let pair = try SessionPair()
        let now = Clock.unixTime()
        harness.adopt(ends.0, try pair.takeServer(), bound: bound, expiry: now + 1, lane: 1, generation: 2)
        let expiring = RawPeer(ends.1, try pair.takeClient())
        #expect(harness.ends.isEmpty)
        while Clock.unixTime() <= now + 1 { usleep(50_000) }
        for _ in 0..<100 where harness.ends.isEmpty { _ = harness.worker.turn() }
        guard case .notice(let notice)? = harness.ends.first, harness.ends.count == 1 else {
            Issue.record("\(harness.ends)")
            return
        }
        #expect(notice.reason == .expired)
        let said = try expiring.frames().filter { $0.kind == 6 }.map(\.payload)
        #expect(said == [notice.bytes])
        #expect(try peer.frames().allSatisfy { $0.kind != 6 })
    }

    @Test("is told that the server is about to end on every lane, also on one that comes later")
    func hearsOfTheEnd() throws {
        let (harness, peer) = try start()
        func hears(_ peer: RawPeer) throws -> Int {
            for _ in 0..<3 { _ = harness.worker.turn(isWaiting: false) }
            return try peer.frames().count { $0.kind == 7 }
        }
        #expect(try hears(peer) == 0)
        harness.worker.mailbox.post(.retire)
        #expect(try hears(peer) == 1)
        let ends = try WorkerHarness.socketPair(CInt(SOCK_STREAM.rawValue))
        let pair = try SessionPair()
        harness.adopt(ends.0, try pair.takeServer(), bound: bound, generation: 2)
        let next = RawPeer(ends.1, try pair.takeClient())
        #expect(try hears(next) == 1)
        #expect(try hears(next) == 0)
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
