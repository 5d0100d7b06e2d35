import Glibc
import TendrilCore
import TestSupport
import Testing
import TunnelDataPlane
import TunnelProtocol

@Suite("Datagrams for the kernel", .serialized)
struct DatagramMergerTests {
    private func start() throws -> (WorkerHarness, RawPeer) {
        func table(_ networks: String...) -> RouteTable<Bool> {
            RouteTable(networks.compactMap { IPPrefix($0) }.map { ($0, true) })
        }
        let policy = ClientPolicy(
            served: table("10.2.0.0/16", "fd02::/64"),
            remote: table("10.1.0.0/16", "fd01::/64"),
            links: [0]
        )
        let harness = try WorkerHarness(.client(policy, ReturnPaths()), mergesDatagrams: true)
        let ends = try WorkerHarness.socketPair(CInt(SOCK_STREAM.rawValue))
        let pair = try SessionPair()
        harness.adopt(ends.0, try pair.takeClient(), bound: RouteTable())
        return (harness, RawPeer(ends.1, try pair.takeServer()))
    }

    /// What the kernel makes of a packet with its virtio header: what a wire would see.
    private static func cut(_ whole: [UInt8]) -> [[UInt8]] {
        let (header, packet) = (Array(whole[..<10]), Array(whole[10...]))
        guard header[1] == 5 else { return [header[0] & 1 == 1 ? finished(packet) : packet] }
        let offset = packet[0] >> 4 == 4 ? 20 : 40
        let size = Int(header[4]) | Int(header[5]) << 8
        return stride(from: offset + 8, to: packet.count, by: size).map { start in
            var segment = Array(packet[..<(offset + 8)]) + packet[start..<min(start + size, packet.count)]
            let (old, new) = (UInt16(packet.count - offset), UInt16(segment.count - offset))
            let sum = UInt32(segment[offset + 6]) << 8 + UInt32(segment[offset + 7]) + UInt32(~old) + UInt32(new)
            segment.replaceSubrange((offset + 4)..<(offset + 6), with: [UInt8(new >> 8), UInt8(new & 0xFF)])
            let folded = UInt16(truncatingIfNeeded: (sum & 0xFFFF) + (sum >> 16))
            segment.replaceSubrange((offset + 6)..<(offset + 8), with: [UInt8(folded >> 8), UInt8(folded & 0xFF)])
            let length = UInt16(offset == 20 ? segment.count : segment.count - 40)
            let field = offset == 20 ? 2 : 4
            segment.replaceSubrange(field..<(field + 2), with: [UInt8(length >> 8), UInt8(length & 0xFF)])
            if offset == 20 {
                segment.replaceSubrange(10..<12, with: [0, 0])
                let sum = TestPacket.checksum(Array(segment[..<20]))
                segment.replaceSubrange(10..<12, with: [UInt8(sum >> 8), UInt8(sum & 0xFF)])
            }
            return finished(segment)
        }
    }

    /// With the checksum that its field is the beginning of.
    private static func finished(_ packet: [UInt8]) -> [UInt8] {
        let offset = packet[0] >> 4 == 4 ? 20 : 40
        let sum = TestPacket.checksum(Array(packet[offset...]))
        var packet = packet
        packet.replaceSubrange((offset + 6)..<(offset + 8), with: [UInt8(sum >> 8), UInt8(sum & 0xFF)])
        return packet
    }

    private static func datagram(_ random: inout SeededGenerator) -> [UInt8] {
        let (from, to) = random.next() % 3 == 0 ? ("fd01::1", "fd02::5") : ("10.1.0.1", "10.2.0.5")
        let port = UInt8(random.next() % 2)
        let length = [1, 64, 64, 64, 64, 200, 1400][Int(random.next() % 7)]
        let payload = (0..<length).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        let datagram = [40, port, 0, 53, UInt8((length + 8) >> 8), UInt8((length + 8) & 0xFF), 0, 0] + payload
        return TestPacket.packet(from, to, transport: 17, checksumAt: 6, datagram, ecn: random.next() % 20 == 0 ? 2 : 0)
    }

    /// A virtio header that leaves the checksum of an IPv6 datagram to the kernel.
    private static let unfinished = [1, 0, 0, 0, 0, 0, 40, 0, 6, 0] as [UInt8]

    /// The largest that IPv6 has: 40 bytes more than IPv4 can have.
    private static let largest = TestPacket.udp("fd01::1", "fd02::5", payload: 65527)

    @Test("begin no packet of several where they are larger than one may be", arguments: [65487, 65488, 65527])
    func bounds(payload: Int) throws {
        let bytes = TestPacket.udp("fd01::1", "fd02::5", payload: payload)
        let packet = try InnerPacket.parse(bytes.span)
        let offered = VirtioHeader(Self.unfinished.span)
        let header = try #require(offered).validated(for: packet)
        #expect(DatagramMerge.canBegin(packet, header) == (payload == 65487))
    }

    @Test("of the largest size go as they came, between small ones that are put together")
    func largest() throws {
        let (harness, peer) = try start()
        let small = TestPacket.udp("fd01::1", "fd02::5", payload: 100)
        let sent = [small, small, Self.largest, Self.largest, small, small]
        try peer.write(
            sent.flatMap { RawPeer.frame(16, Self.unfinished + TestPacket.withPartialChecksum($0)) }
        )
        var (got, writes): ([[UInt8]], Int) = ([], 0)
        for _ in 0..<10_000 where !peer.flush() || got.count < sent.count && harness.ends.isEmpty {
            _ = harness.worker.turn(isWaiting: false)
            while let whole = harness.receiveWhole() {
                writes += 1
                got += Self.cut(whole)
            }
        }
        #expect(harness.ends.isEmpty, "\(harness.ends)")
        #expect(got == sent && writes == 4, "\(got.map(\.count)), \(writes) writes")
    }

    @Test("are put together, and cut again are what came, in its order", arguments: 1...20 as ClosedRange<UInt64>)
    func areWhatCame(seed: UInt64) throws {
        let (harness, peer) = try start()
        var random = SeededGenerator(seed: seed)
        var (sent, got): ([[UInt8]], [[UInt8]]) = ([], [])
        var writes = 0
        for _ in 0..<20 {
            var frames: [UInt8] = []
            for _ in 0..<15 {
                var packet = Self.datagram(&random)
                // As a rule one behind the other of the same kind.
                for _ in 0..<(1 + random.next() % 90) {
                    sent.append(packet)
                    let isFinished = random.next() % 30 == 0
                    let header = [isFinished ? 0 : 1, 0, 0, 0, 0, 0, packet[0] >> 4 == 4 ? 20 : 40, 0, 6, 0] as [UInt8]
                    let carried = isFinished ? packet : TestPacket.withPartialChecksum(packet)
                    frames += RawPeer.frame(16, (isFinished ? Array(repeating: 0, count: 10) : header) + carried)
                    if random.next() % 40 == 0 { packet = Self.datagram(&random) }
                }
            }
            try peer.write(frames)
            var turns = 0
            repeat {
                turns += 1
                _ = harness.worker.turn(isWaiting: false)
                while let whole = harness.receiveWhole() {
                    writes += 1
                    got += Self.cut(whole)
                }
            } while !peer.flush() || got.count < sent.count && harness.ends.isEmpty && turns < 10_000
        }
        #expect(harness.ends.isEmpty, "\(harness.ends)")
        #expect(got == sent)
        #expect(writes * 4 < sent.count, "\(writes) writes of \(sent.count) datagrams")
    }
}
