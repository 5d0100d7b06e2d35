import TendrilCore
import TestSupport
import TunnelProtocol

/// The filter of packets in the tunnel: a virtio header and a packet, as a peer sends them.
enum PacketFuzz {
    static let target = FuzzTarget(name: "packets", seeds: seeds, run: run)

    private static let seeds: [[UInt8]] = {
        let tcp = TestPacket.tcp("10.2.0.5", "10.1.0.1", ports: (80, 40000), flags: 0x12, mss: 1460)
        let answer = TestPacket.udp("10.1.0.9", "10.2.0.5", ports: (53, 9))
        let packets = [
            tcp, TestPacket.tcp("fd02::5", "fd01::1", payload: 40), TestPacket.udp("10.2.0.5", "10.1.0.9"),
            TestPacket.udp("fd02::5", "fd01::1"), TestPacket.icmp("10.2.0.5", "10.1.0.1", kind: 3, body: tcp),
            TestPacket.icmp("fd02::5", "fd01::1", kind: 2, body: TestPacket.udp("fd01::1", "fd02::5")),
            TestPacket.icmp("10.2.0.5", "10.1.0.9", kind: 3, body: answer),
        ]
        return packets.map { [UInt8](repeating: 0, count: VirtioHeader.byteCount) + $0 }
    }()

    private static func table(_ networks: String...) -> RouteTable<Bool> {
        RouteTable(networks.compactMap { IPPrefix($0) }.map { ($0, true) })
    }

    private static let bound = table("10.2.0.0/16", "fd02::/64")
    private static let shoot = table("10.2.0.0/16", "10.3.0.0/16", "fd02::/64")
    private static let service = InboundService("udp/10.1.0.9:53")
    private static let server = ServerPolicy(shoot: shoot, services: [service].compactMap { $0 })
    private static let client = ClientPolicy(served: bound, remote: table("10.1.0.0/16", "fd01::/64"))

    private static func run(_ bytes: [UInt8]) {
        guard bytes.count > VirtioHeader.byteCount, let header = VirtioHeader(bytes.span) else { return }
        let body = Array(bytes[VirtioHeader.byteCount...])
        guard let packet = try? InnerPacket.parse(body.span) else { return }
        precondition(packet.length == body.count && packet.payloadOffset <= body.count)
        precondition(packet.source.isRoutableUnicast && packet.destination.isRoutableUnicast)
        judge(packet, body)
        if let header = try? header.validated(for: packet) { change(body, packet, header) }
    }

    /// Nobody opened anything: only the one service may be sent to, and told of what became of its answers, and only by
    /// those who are there.
    private static func judge(_ packet: InnerPacket, _ bytes: [UInt8]) {
        let now = MonotonicTime(nanoseconds: 0)
        let isLetIn =
            (try? server.inward(packet, bytes: bytes.span, bound: bound, flows: FlowTable(buckets: 1), at: now)) != nil
        if isLetIn {
            precondition(bound.contains(packet.source) && !shoot.contains(packet.destination))
            precondition(service?.accepts(packet) == true || isAboutAnswer(packet, bytes))
        }
        if (try? client.inward(packet, link: 0, paths: ReturnPaths(capacity: 1))) != nil {
            precondition(bound.contains(packet.destination) && !bound.contains(packet.source))
        }
    }

    /// Whether a packet is an error about an answer of the service to somebody who is there.
    private static func isAboutAnswer(_ packet: InnerPacket, _ bytes: [UInt8]) -> Bool {
        guard let service, let quoted = QuotedPacket(in: bytes.span, of: packet) else { return false }
        return service.sent(quoted) && quoted.source == packet.destination && bound.contains(quoted.destination)
    }

    private static func change(_ bytes: [UInt8], _ packet: InnerPacket, _ header: VirtioHeader) {
        var (header, bytes) = (header, bytes)
        if header.segmentation != .none { precondition(header.segmentSize > 0) }
        var error = [UInt8](repeating: 0, count: PacketTooBig.maximumLength)
        var errorSpan = error.mutableSpan
        _ = PacketTooBig.write(to: &errorSpan, about: bytes.span, of: packet, mtu: 1280)
        var span = bytes.mutableSpan
        _ = SegmentSizeClamp.apply(to: &span, of: packet, header: header, mtu: 1280)
        _ = CongestionMark.apply(to: &span, of: packet, header: &header)
        // What was done to it leaves a packet that is one.
        precondition((try? InnerPacket.parse(bytes.span))?.destination == packet.destination)
    }
}
