import Testing
import TunnelProtocol

@Suite("A lane's share")
struct LaneShareTests {
    /// Sends until `total` bytes are gone; how many of them were of packets.
    private func packetBytes(of total: Int, packet: Int, frame: Int) -> Int {
        var share = LaneShare()
        var (sent, packets) = (0, 0)
        while sent < total {
            let kind = share.next
            let bytes = kind == .packets ? packet : frame
            share.sent(kind, bytes, isAlone: false)
            sent += bytes
            if kind == .packets { packets += bytes }
        }
        return packets
    }

    @Test(
        "is half for packets and half for streams, whatever their sizes",
        arguments: [(1200, 64_512), (65_000, 64_512), (65_000, 20), (40, 16_384)]
    )
    func halves(packet: Int, frame: Int) {
        let total = 10_000_000
        let packets = packetBytes(of: total, packet: packet, frame: frame)
        #expect(abs(packets - total / 2) <= packet + frame, "\(packets) of \(total)")
    }

    @Test("is all of it for who is alone, and nothing is saved up meanwhile")
    func alone() {
        var share = LaneShare()
        for _ in 0..<1000 { share.sent(.packets, 65_000, isAlone: true) }
        #expect(share.next == .packets)
        share.sent(.packets, 1200, isAlone: false)
        #expect(share.next == .streams)
        share.sent(.packets, 1200, isAlone: true)
        #expect(share.next == .packets)
    }
}
