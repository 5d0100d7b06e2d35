import TendrilCore

/// Datagrams of one flow that come right behind one another, as the one super-packet that the kernel cuts again (UDP_SEGMENT
/// of linux/udp.h): to give it many at once costs little more than to give it one.
package enum DatagramMerge {
    /// The most datagrams in one (UDP_MAX_SEGMENTS of Linux before 6.9).
    package static var maximumCount: Int { 64 }
    /// The most bytes of a packet of several, and of one that others may be put behind: an IPv6 packet may have 40 more.
    package static var maximumLength: Int { 65535 }

    /// Whether others may be put behind a packet.
    ///
    /// The kernel has to compute its checksum anyway: one that is already there would be lost, and with it what it protects.
    ///
    /// - Parameters:
    ///   - packet: what its headers say.
    ///   - header: its virtio header.
    /// - Returns: whether it may be the first.
    @inline(__always)
    package static func canBegin(_ packet: InnerPacket, _ header: VirtioHeader) -> Bool {
        packet.transport == .udp && header.segmentation == .none && header.flags & VirtioHeader.needsChecksum != 0
            && packet.length > packet.payloadOffset && packet.length <= maximumLength
    }

    /// Whether a packet belongs to the same flow as another and differs from it in nothing that merging would lose.
    ///
    /// - Parameters:
    ///   - next: a packet that could begin itself.
    ///   - first: another one, or what was merged of it.
    ///   - packet: what the headers of `next` say.
    /// - Returns: whether it may stand behind.
    package static func matches(
        _ next: borrowing Span<UInt8>,
        _ first: borrowing Span<UInt8>,
        _ packet: InnerPacket
    ) -> Bool {
        guard first.count >= packet.payloadOffset, next.count >= packet.payloadOffset, next[0] == first[0],
            next[1] == first[1], next.u32(packet.transportOffset) == first.u32(packet.transportOffset)
        else { return false }
        switch packet.family {
        case .v4:
            // The fragment's word, TTL with protocol, and addresses; the identification is given anew.
            return next.u16(6) == first.u16(6) && next.u16(8) == first.u16(8) && next.u64(12) == first.u64(12)
        case .v6:
            return next.u16(2) == first.u16(2) && next.u16(6) == first.u16(6) && next.u64(8) == first.u64(8)
                && next.u64(16) == first.u64(16) && next.u64(24) == first.u64(24) && next.u64(32) == first.u64(32)
        }
    }

    /// Makes a packet with the payloads of several behind its headers one that the kernel cuts again.
    ///
    /// - Parameters:
    ///   - bytes: the first packet, and behind it the payloads of the others; at most `maximumLength`.
    ///   - packet: what the headers of the first say.
    /// - Returns: the virtio header to go with it.
    package static func finish(_ bytes: inout MutableSpan<UInt8>, _ packet: InnerPacket) -> VirtioHeader {
        let (transport, length) = (packet.transportOffset, UInt16(truncatingIfNeeded: bytes.count))
        switch packet.family {
        case .v4:
            bytes.set(InternetChecksum.updated(bytes.u16(10), from: bytes.u16(2), to: length), at: 10)
            bytes.set(length, at: 2)
        case .v6: bytes.set(length &- UInt16(truncatingIfNeeded: transport), at: 4)
        }
        let (old, new) = (bytes.u16(transport &+ 4), length &- UInt16(truncatingIfNeeded: transport))
        // An unfinished checksum is the sum of the pseudo header, in which the length is.
        let sum = UInt32(bytes.u16(transport &+ 6)) &+ UInt32(~old) &+ UInt32(new)
        bytes.set(InternetChecksum.fold(sum), at: transport &+ 6)
        bytes.set(new, at: transport &+ 4)
        var header = VirtioHeader()
        header.flags = VirtioHeader.needsChecksum
        header.checksumStart = UInt16(truncatingIfNeeded: transport)
        header.checksumOffset = 6
        header.segmentation = .udp
        header.segmentSize = UInt16(truncatingIfNeeded: packet.length &- packet.payloadOffset)
        header.headerLength = UInt16(truncatingIfNeeded: packet.payloadOffset)
        return header
    }
}
