/// Lowers the maximum segment size that a TCP SYN offers, so that segments fit both ends of the tunnel.
package enum SegmentSizeClamp {
    /// Clamps the MSS option of a SYN in place and returns whether it changed anything.
    ///
    /// - Parameters:
    ///   - bytes: the packet's bytes, without the virtio header.
    ///   - packet: what its headers say.
    ///   - header: the virtio header; with an unfinished checksum the sum does not cover the option yet.
    ///   - mtu: the largest packet in bytes that may follow in this connection.
    /// - Returns: whether the option was lowered.
    package static func apply(
        to bytes: inout MutableSpan<UInt8>,
        of packet: InnerPacket,
        header: VirtioHeader,
        mtu: Int
    ) -> Bool {
        guard packet.transport == .tcp, packet.kind & InnerPacket.TCPFlag.syn != 0 else { return false }
        let limit = max(mtu &- packet.transportOffset &- 20, 88)
        guard let offset = option(in: bytes, of: packet), Int(bytes.u16(offset)) > limit else { return false }
        let old = bytes.u16(offset)
        let new = UInt16(clamping: limit)
        bytes.set(new, at: offset)
        if header.flags & VirtioHeader.needsChecksum == 0 {
            let field = packet.transportOffset &+ 16
            // An option at an odd offset straddles two words of the sum; swapping both bytes gives the same sum.
            let isOdd = (offset &- packet.transportOffset) % 2 != 0
            let (from, to) = isOdd ? (old.byteSwapped, new.byteSwapped) : (old, new)
            bytes.set(InternetChecksum.updated(bytes.u16(field), from: from, to: to), at: field)
        }
        return true
    }

    /// Where the value of the MSS option stands (RFC 9293 section 3.1: kind 2, length 4).
    private static func option(in bytes: borrowing MutableSpan<UInt8>, of packet: InnerPacket) -> Int? {
        var offset = packet.transportOffset &+ 20
        while offset < packet.payloadOffset {
            switch bytes[offset] {
            case 0: return nil
            case 1: offset &+= 1
            default:
                guard offset &+ 1 < packet.payloadOffset else { return nil }
                let length = Int(bytes[offset &+ 1])
                guard length >= 2, offset &+ length <= packet.payloadOffset else { return nil }
                if bytes[offset] == 2, length == 4 { return offset &+ 2 }
                offset &+= length
            }
        }
        return nil
    }
}
