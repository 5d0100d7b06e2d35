import TendrilCore
import TunnelProtocol

/// A virtio header and the packet behind it, in memory that the caller keeps.
///
/// Changes are made by methods of their own: a mutable span that lives in a function that can throw is put on the heap
/// by the compiler (Swift 6.3), once per packet.
struct FramePointer {
    private let start: UnsafeMutablePointer<UInt8>
    private let length: Int

    /// Points at a slot, in which a frame's header comes first.
    @inline(__always)
    init(_ slot: UnsafeMutableRawPointer, packetLength: Int) {
        self.init(behindHeader: slot + PacketPool.headRoom, packetLength: packetLength)
    }

    /// Points at a virtio header with a packet of `packetLength` bytes behind it.
    @inline(__always)
    init(behindHeader start: UnsafeMutableRawPointer, packetLength: Int) {
        precondition(packetLength >= 0, "a packet has a length")
        self.start = start.assumingMemoryBound(to: UInt8.self)
        length = packetLength
    }

    /// The virtio header, or `nil` where it is none.
    @inline(__always)
    func virtioHeader() -> VirtioHeader? {
        VirtioHeader(Span(_unsafeStart: UnsafePointer(start), count: VirtioHeader.byteCount))
    }

    /// Lends the bytes of the packet.
    @inline(__always)
    func withPacket<Result, Failure>(
        _ body: (borrowing Span<UInt8>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(Span(_unsafeStart: UnsafePointer(start + VirtioHeader.byteCount), count: length))
    }

    /// Replaces the virtio header.
    func write(_ header: VirtioHeader) {
        var bytes = MutableSpan(_unsafeStart: start, count: VirtioHeader.byteCount)
        header.write(to: &bytes)
    }

    /// Lowers the maximum segment size that a SYN offers.
    func clampSegmentSize(of packet: InnerPacket, header: VirtioHeader, mtu: Int) {
        guard packet.transport == .tcp, packet.kind & InnerPacket.TCPFlag.syn != 0 else { return }
        var bytes = MutableSpan(_unsafeStart: start + VirtioHeader.byteCount, count: length)
        _ = SegmentSizeClamp.apply(to: &bytes, of: packet, header: header, mtu: mtu)
    }

    /// Marks or trims the packet, and changes the virtio header along.
    func signalCongestion(to packet: InnerPacket, header: VirtioHeader) -> CongestionMark.Outcome {
        var header = header
        var bytes = MutableSpan(_unsafeStart: start + VirtioHeader.byteCount, count: length)
        let outcome = CongestionMark.apply(to: &bytes, of: packet, header: &header)
        if case .trimmed = outcome { write(header) }
        return outcome
    }
}
