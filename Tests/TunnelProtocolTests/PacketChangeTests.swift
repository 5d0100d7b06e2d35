import TendrilCore
import TestSupport
import Testing
import TunnelProtocol

@Suite("The maximum segment size")
struct SegmentSizeClampTests {
    @Test("of a SYN is lowered to what fits, and the checksum stays right", arguments: ["10.0.0.1", "fd00::1"])
    func lowers(source: String) throws {
        let destination = source == "10.0.0.1" ? "10.0.0.2" : "fd00::2"
        var bytes = TestPacket.tcp(source, destination, flags: 2, mss: 8960)
        let packet = try InnerPacket.parse(bytes.span)
        var span = bytes.mutableSpan
        let isChanged = SegmentSizeClamp.apply(to: &span, of: packet, header: VirtioHeader(), mtu: 1280)
        let offset = packet.transportOffset + 22
        #expect(isChanged && Int(bytes[offset]) << 8 | Int(bytes[offset + 1]) == 1280 - packet.transportOffset - 20)
        #expect(TestPacket.isSound(bytes))
    }

    @Test("is left alone where it fits, where there is none, and outside a SYN")
    func leavesOthers() throws {
        for original in [
            TestPacket.tcp("10.0.0.1", "10.0.0.2", flags: 2, mss: 1200),
            TestPacket.tcp("10.0.0.1", "10.0.0.2", flags: 2),
            TestPacket.tcp("10.0.0.1", "10.0.0.2", flags: 0x10, mss: 9000), TestPacket.udp("10.0.0.1", "10.0.0.2"),
        ] {
            var bytes = original
            let packet = try InnerPacket.parse(bytes.span)
            var span = bytes.mutableSpan
            let isChanged = SegmentSizeClamp.apply(to: &span, of: packet, header: VirtioHeader(), mtu: 1280)
            #expect(!isChanged && bytes == original)
        }
    }
}

@Suite("A congestion signal")
struct CongestionMarkTests {
    @Test("is a mark where the sender speaks ECN", arguments: [("10.0.0.1", "10.0.0.2"), ("fd00::1", "fd00::2")])
    func marks(source: String, destination: String) throws {
        var bytes = TestPacket.tcp(source, destination, payload: 100, ecn: 2)
        let packet = try InnerPacket.parse(bytes.span)
        var header = VirtioHeader()
        var span = bytes.mutableSpan
        let outcome = CongestionMark.apply(to: &span, of: packet, header: &header)
        let marked = try InnerPacket.parse(bytes.span)
        #expect(outcome == .marked && marked.ecn == 3 && TestPacket.isSound(bytes))
    }

    @Test(
        "costs a super-packet its last segment and nothing else",
        arguments: [("10.0.0.1", "10.0.0.2"), ("fd00::1", "fd00::2")]
    )
    func trims(source: String, destination: String) throws {
        for payload in [2001, 3000, 10_000, 1001] {
            let whole = TestPacket.tcp(source, destination, payload: payload)
            var bytes = TestPacket.withPartialChecksum(whole)
            let packet = try InnerPacket.parse(bytes.span)
            var header = VirtioHeader()
            header.flags = VirtioHeader.needsChecksum
            header.segmentation = packet.family == .v4 ? .tcpv4 : .tcpv6
            header.segmentSize = 1000
            var span = bytes.mutableSpan
            let outcome = CongestionMark.apply(to: &span, of: packet, header: &header)
            let left = (payload - 1) / 1000 * 1000
            #expect(outcome == .trimmed(length: packet.payloadOffset + left))
            #expect((header.segmentation == .none) == (left <= 1000))
            // The same packet built with the shorter payload is the reference.
            let expected = TestPacket.withPartialChecksum(TestPacket.tcp(source, destination, payload: left))
            #expect(Array(bytes.prefix(packet.payloadOffset + left)) == expected)
        }
    }

    @Test("is a loss for what can be neither marked nor trimmed")
    func drops() throws {
        for original in [TestPacket.udp("10.0.0.1", "10.0.0.2"), TestPacket.tcp("10.0.0.1", "10.0.0.2", payload: 500)] {
            var bytes = original
            let packet = try InnerPacket.parse(bytes.span)
            var header = VirtioHeader()
            var span = bytes.mutableSpan
            let outcome = CongestionMark.apply(to: &span, of: packet, header: &header)
            #expect(outcome == .mustDrop && bytes == original)
        }
    }

    /// Puts the sum of the pseudo header into the checksum field, as the kernel does for offloading.
}

@Suite("Packet too big")
struct PacketTooBigTests {
    @Test("is a sound ICMP error to the sender", arguments: [("10.0.0.1", "10.0.0.2"), ("fd00::1", "fd00::2")])
    func isSound(source: String, destination: String) throws {
        let original = TestPacket.udp(source, destination, payload: 3000)
        let packet = try InnerPacket.parse(original.span)
        var output = [UInt8](repeating: 0, count: PacketTooBig.maximumLength)
        var span = output.mutableSpan
        let written = PacketTooBig.write(to: &span, about: original.span, of: packet, mtu: 1400)
        let length = try #require(written)
        let error = Array(output.prefix(length))
        let parsed = try InnerPacket.parse(error.span)
        #expect(parsed.isICMPError && parsed.destination == packet.source && parsed.source == packet.destination)
        #expect(TestPacket.isSound(error))
        let offset = parsed.transportOffset
        #expect(Int(error[offset + 6]) << 8 | Int(error[offset + 7]) == 1400)
        let quoted = QuotedPacket(in: error.span, of: parsed)
        #expect(quoted?.source == packet.source && quoted?.destinationPort == 53)
    }

    @Test("is not said about an error, nor to a sender that allows fragments")
    func staysSilent() throws {
        var fragmentable = TestPacket.udp("10.0.0.1", "10.0.0.2", payload: 3000)
        fragmentable[6] = 0
        for original in [fragmentable, TestPacket.icmp("10.0.0.1", "10.0.0.2", kind: 3, body: fragmentable)] {
            let packet = try InnerPacket.parse(original.span)
            var output = [UInt8](repeating: 0, count: PacketTooBig.maximumLength)
            var span = output.mutableSpan
            let written = PacketTooBig.write(to: &span, about: original.span, of: packet, mtu: 1400)
            #expect(written == nil)
        }
    }

    @Test("looks at segments, not at super-packets")
    func looksAtSegments() throws {
        let bytes = TestPacket.tcp("10.0.0.1", "10.0.0.2", payload: 20_000)
        let packet = try InnerPacket.parse(bytes.span)
        var header = VirtioHeader()
        header.segmentation = .tcpv4
        header.segmentSize = 1460
        #expect(!PacketTooBig.exceeds(packet, header: header, mtu: 1500))
        #expect(PacketTooBig.exceeds(packet, header: header, mtu: 1499))
    }
}

@Suite("Virtio headers")
struct VirtioHeaderTests {
    private func superPacket() -> (InnerPacket?, VirtioHeader) {
        let bytes = TestPacket.tcp("10.0.0.1", "10.0.0.2", payload: 5000)
        var header = VirtioHeader()
        header.flags = VirtioHeader.needsChecksum
        header.segmentation = .tcpv4
        header.segmentSize = 1448
        header.checksumStart = 20
        header.checksumOffset = 16
        header.headerLength = 9999
        return (try? InnerPacket.parse(bytes.span), header)
    }

    @Test("survive their own bytes")
    func surviveBytes() {
        let (_, header) = superPacket()
        var bytes = [UInt8](repeating: 0, count: 10)
        var span = bytes.mutableSpan
        header.write(to: &span)
        #expect(VirtioHeader(bytes.span) == header)
    }

    @Test("are rebuilt from the packet")
    func areRebuilt() throws {
        let (packet, header) = superPacket()
        let valid = try header.validated(for: try #require(packet))
        #expect(valid.headerLength == 40 && valid.segmentSize == 1448)
    }

    @Test(
        "that contradict the packet are refused",
        arguments: [
            { $0.flags = 0x80 }, { $0.checksumStart = 21 }, { $0.checksumOffset = 6 }, { $0.segmentSize = 0 },
            { $0.segmentSize = 5000 }, { $0.segmentSize = 1 }, { $0.segmentation = .tcpv6 }, { $0.segmentation = .udp },
            { $0.flags = 0 },
        ] as [@Sendable (inout VirtioHeader) -> Void]
    )
    func contradictionsAreRefused(edit: @Sendable (inout VirtioHeader) -> Void) throws {
        var (packet, header) = superPacket()
        edit(&header)
        let known = try #require(packet)
        #expect(throws: PacketRefusal(.offload)) { try header.validated(for: known) }
    }

    @Test("ask for as many segments as there may be, the last of them full or not, and for no more")
    func segmentsAreBounded() throws {
        for (payload, isAllowed) in [(10 * 1024, true), (10 * 1024 - 1, true), (10 * 1024 + 1, false)] {
            var (_, header) = superPacket()
            header.segmentSize = 10
            let bytes = TestPacket.tcp("10.0.0.1", "10.0.0.2", payload: payload)
            let packet = try InnerPacket.parse(bytes.span)
            let valid = try? header.validated(for: packet)
            #expect((valid != nil) == isAllowed, "\(payload)")
        }
    }

    @Test("of a super-packet that opens a connection are refused")
    func opensNothing() throws {
        let bytes = TestPacket.tcp("10.0.0.1", "10.0.0.2", flags: 2, payload: 5000)
        let packet = try InnerPacket.parse(bytes.span)
        let (_, header) = superPacket()
        #expect(throws: PacketRefusal(.offload)) { try header.validated(for: packet) }
    }
}
