import TendrilCore
import TestSupport
import Testing
import TunnelProtocol

@Suite("Inner packets")
struct InnerPacketTests {
    private func reason(_ bytes: [UInt8]) -> DropReason? {
        do throws(PacketRefusal) {
            _ = try InnerPacket.parse(bytes.span)
            return nil
        } catch {
            return error.reason
        }
    }

    @Test("of every carried transport are read")
    func readsTransports() throws {
        let tcp = try InnerPacket.parse(TestPacket.tcp("10.0.0.1", "10.0.0.2", flags: 2, mss: 1460, payload: 3).span)
        #expect(tcp.transport == .tcp && tcp.sourcePort == 40000 && tcp.destinationPort == 443)
        #expect(tcp.payloadOffset == 44 && tcp.length == 47 && tcp.opensConnection)
        let udp = try InnerPacket.parse(TestPacket.udp("fd00::1", "fd00::2").span)
        #expect(udp.transport == .udp && udp.destinationPort == 53 && udp.payloadOffset == 48)
        let echo = try InnerPacket.parse(TestPacket.icmp("10.0.0.1", "10.0.0.2", kind: 8, identifier: 99).span)
        #expect(echo.isEcho && echo.sourcePort == 99 && echo.destinationPort == 99)
    }

    @Test(
        "of an unusual form are refused with their reason",
        arguments: UnusualPackets.all
    )
    func refusesUnusual(bytes: [UInt8], expected: DropReason) {
        #expect(reason(bytes) == expected)
    }

    @Test("never trap, whatever the bytes")
    func neverTraps() {
        var random = SeededGenerator(seed: 7)
        let seeds = [
            UnusualPackets.v4, UnusualPackets.v6,
            TestPacket.icmp("10.0.0.1", "10.0.0.2", kind: 3, body: UnusualPackets.v4),
            TestPacket.icmp("fd00::1", "fd00::2", kind: 2, body: UnusualPackets.v6),
            TestPacket.tcp("fd00::1", "fd00::2", flags: 2, mss: 9000),
        ]
        for round in 0..<300_000 {
            var bytes = seeds[round % seeds.count]
            for _ in 0..<Int(random.next() % 4) {
                bytes[Int(random.next() % UInt64(bytes.count))] = UInt8.random(in: 0...255, using: &random)
            }
            if random.next() % 3 == 0 { bytes.removeLast(Int(random.next() % UInt64(bytes.count))) }
            exercise(bytes, &random)
        }
    }

    /// Runs everything that reads or changes a packet's bytes.
    private func exercise(_ bytes: [UInt8], _ random: inout SeededGenerator) {
        guard let packet = try? InnerPacket.parse(bytes.span) else { return }
        _ = QuotedPacket(in: bytes.span, of: packet)
        let raw = (0..<10).map { _ in UInt8.random(in: 0...255, using: &random) }
        guard var header = VirtioHeader(raw.span) else { return }
        header = (try? header.validated(for: packet)) ?? VirtioHeader()
        var copy = bytes
        var span = copy.mutableSpan
        _ = SegmentSizeClamp.apply(to: &span, of: packet, header: header, mtu: 1280)
        _ = CongestionMark.apply(to: &span, of: packet, header: &header)
        var output = [UInt8](repeating: 0, count: PacketTooBig.maximumLength)
        var outputSpan = output.mutableSpan
        _ = PacketTooBig.write(to: &outputSpan, about: bytes.span, of: packet, mtu: 1280)
    }
}

/// Packets that differ from a sound one in one thing, with the reason for which they are refused.
private enum UnusualPackets {
    static let v4 = TestPacket.tcp("10.0.0.1", "10.0.0.2", payload: 4)
    static let v6 = TestPacket.udp("fd00::1", "fd00::2")

    static let all: [([UInt8], DropReason)] = [
        ([], .malformed),
        (Array(repeating: 0x45, count: 19), .malformed),
        (change(v4) { $0[0] = 0x55 }, .malformed),
        (change(v4) { $0[0] = 0x44 }, .malformed),
        (change(v4) { $0[3] &+= 1 }, .malformed),
        (v4 + [0], .malformed),
        (
            change(v4 + [0, 0, 0, 0]) {
                $0[0] = 0x46; $0[3] &+= 4
            }, .options
        ),
        (change(v4) { $0[6] = 0x20 }, .fragment),
        (change(v4) { $0[7] = 1 }, .fragment),
        (change(v4) { $0[6] = 0x80 }, .malformed),
        (change(v4) { $0[9] = 4 }, .transport),
        (change(v4) { $0[9] = 41 }, .transport),
        (change(v4) { $0[9] = 47 }, .transport),
        (change(v4) { $0[9] = 132 }, .transport),
        (change(v4) { $0[9] = 58 }, .transport),
        (change(v4) { $0[12] = 127 }, .martian),
        (change(v4) { $0[16] = 224 }, .martian),
        (change(v4) { $0.replaceSubrange(16..<20, with: $0[12..<16]) }, .martian),
        (change(v4) { $0[32] = 0x40 }, .malformed),
        (change(v4) { $0[32] = 0xF0 }, .malformed),
        (change(v6) { $0[6] = 44 }, .fragment),
        (change(v6) { $0[6] = 0 }, .extensionHeader),
        (change(v6) { $0[6] = 43 }, .extensionHeader),
        (change(v6) { $0[6] = 60 }, .extensionHeader),
        (change(v6) { $0[6] = 41 }, .transport),
        (change(v6) { $0[6] = 59 }, .transport),
        (change(v6) { $0[6] = 1 }, .transport),
        (
            change(v6) {
                $0[5] = 0; $0[4] = 0
            }, .malformed
        ),
        (change(v6) { $0[8] = 0xFF }, .martian),
        (change(v6) { $0[45] &+= 1 }, .malformed),
    ]

    private static func change(_ bytes: [UInt8], _ edit: (inout [UInt8]) -> Void) -> [UInt8] {
        var bytes = bytes
        edit(&bytes)
        return bytes
    }
}
