import TendrilCore

/// The 10 bytes before a packet that carry offloads between two TUN devices.
///
/// Layout and constants are those of `struct virtio_net_hdr` in linux/virtio_net.h; numbers are little-endian, as the
/// kernel of a little-endian machine writes them.
public struct VirtioHeader: Hashable, Sendable {
    /// The length of the header in bytes.
    @inlinable public static var byteCount: Int { 10 }

    /// The most segments of a super-packet: 64 KiB at the smallest MSS that anybody uses, and no packet storm.
    public static var maximumSegments: Int { 1024 }

    /// VIRTIO_NET_HDR_F_NEEDS_CSUM: the transport checksum holds only the pseudo header's sum.
    @inlinable public static var needsChecksum: UInt8 { 1 }
    /// VIRTIO_NET_HDR_F_DATA_VALID: the checksum was verified already.
    @inlinable public static var dataValid: UInt8 { 2 }

    /// VIRTIO_NET_HDR_GSO_*: how the kernel is to cut the packet.
    public enum Segmentation: UInt8, Sendable {
        case none = 0
        case tcpv4 = 1
        case tcpv6 = 4
        case udp = 5
    }

    /// VIRTIO_NET_HDR_F_*.
    public var flags: UInt8 = 0
    /// How the kernel is to cut the packet.
    public var segmentation: Segmentation = .none
    /// Whether the TCP super-packet carries ECN's CWR (VIRTIO_NET_HDR_GSO_ECN).
    public var hasECN = false
    /// The length in bytes of the headers that every segment gets.
    public var headerLength: UInt16 = 0
    /// The payload of each segment in bytes.
    public var segmentSize: UInt16 = 0
    /// Where the part begins over which a checksum is to be made.
    public var checksumStart: UInt16 = 0
    /// Where in that part the checksum stands.
    public var checksumOffset: UInt16 = 0

    /// Makes a header that asks nothing of the kernel.
    public init() {}

    /// Reads the first 10 of `bytes`, or returns `nil` for an unknown way to segment.
    public init?(_ bytes: borrowing Span<UInt8>) {
        guard bytes.count >= Self.byteCount, let segmentation = Segmentation(rawValue: bytes[1] & 0x7F) else {
            return nil
        }
        flags = bytes[0]
        self.segmentation = segmentation
        hasECN = bytes[1] & 0x80 != 0
        headerLength = bytes.u16(2).byteSwapped
        segmentSize = bytes.u16(4).byteSwapped
        checksumStart = bytes.u16(6).byteSwapped
        checksumOffset = bytes.u16(8).byteSwapped
    }

    /// Writes the header to the first 10 of `bytes`.
    public func write(to bytes: inout MutableSpan<UInt8>) {
        bytes[0] = flags
        bytes[1] = segmentation.rawValue | (hasECN ? 0x80 : 0)
        bytes.set(headerLength.byteSwapped, at: 2)
        bytes.set(segmentSize.byteSwapped, at: 4)
        bytes.set(checksumStart.byteSwapped, at: 6)
        bytes.set(checksumOffset.byteSwapped, at: 8)
    }

    /// Whether nothing is asked of the kernel.
    @inlinable public var isPlain: Bool { flags & Self.needsChecksum == 0 && segmentation == .none }

    /// Returns the header as it may go to the kernel with `packet`: what the packet's own headers say replaces what
    /// the peer said, and a contradiction is refused.
    ///
    /// - Parameter packet: the packet behind the header.
    /// - Returns: a header that the kernel may be given.
    /// - Throws: `PacketRefusal` with the reason `offload`.
    public func validated(for packet: InnerPacket) throws(PacketRefusal) -> VirtioHeader {
        guard flags & ~(Self.needsChecksum | Self.dataValid) == 0 else { throw PacketRefusal(.offload) }
        var header = VirtioHeader()
        if flags & Self.needsChecksum != 0 {
            let offset = try checksumOffset(in: packet)
            guard Int(checksumStart) == packet.transportOffset, checksumOffset == offset else {
                throw PacketRefusal(.offload)
            }
            header.flags = Self.needsChecksum
            header.checksumStart = checksumStart
            header.checksumOffset = offset
        }
        guard segmentation != .none else { return header }
        try checkSegmentation(of: packet)
        let payload = packet.length &- packet.payloadOffset
        guard header.flags & Self.needsChecksum != 0, segmentSize > 0, Int(segmentSize) < payload,
            payload <= Self.maximumSegments * Int(segmentSize)
        else { throw PacketRefusal(.offload) }
        header.segmentation = segmentation
        header.hasECN = hasECN
        header.segmentSize = segmentSize
        header.headerLength = UInt16(truncatingIfNeeded: packet.payloadOffset)
        return header
    }

    private func checksumOffset(in packet: InnerPacket) throws(PacketRefusal) -> UInt16 {
        switch packet.transport {
        case .tcp: return 16
        case .udp: return 6
        case .icmp, .icmpv6: throw PacketRefusal(.offload)
        }
    }

    private func checkSegmentation(of packet: InnerPacket) throws(PacketRefusal) {
        let fits =
            switch segmentation {
            case .none: true
            case .tcpv4: packet.transport == .tcp && packet.family == .v4
            case .tcpv6: packet.transport == .tcp && packet.family == .v6
            case .udp: packet.transport == .udp && !hasECN
            }
        // A super-packet that opens or resets a connection is a contradiction in itself.
        let opens = packet.transport == .tcp && packet.kind & (InnerPacket.TCPFlag.syn | InnerPacket.TCPFlag.rst) != 0
        guard fits, !opens else { throw PacketRefusal(.offload) }
    }
}
