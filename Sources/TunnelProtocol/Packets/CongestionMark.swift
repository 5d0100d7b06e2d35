import TendrilCore

/// Tells the sender of a packet that it is too fast, as gently as the packet allows.
package enum CongestionMark {
    /// What became of the packet.
    package enum Outcome: Hashable, Sendable {
        /// It carries ECN's congestion-experienced mark now.
        case marked
        /// Its last segment was cut off; the packet has this many bytes left.
        case trimmed(length: Int)
        /// It can carry no signal but its own loss.
        case mustDrop
    }

    /// Marks, trims or gives up on one packet.
    ///
    /// A super-packet of TCP loses only its last segment: one loss that the receiver reports at once, instead of
    /// forty. The virtio header is changed along.
    ///
    /// - Parameters:
    ///   - bytes: the packet's bytes, without the virtio header.
    ///   - packet: what the packet's headers say.
    ///   - header: the virtio header that goes with it.
    /// - Returns: what became of the packet.
    package static func apply(
        to bytes: inout MutableSpan<UInt8>,
        of packet: InnerPacket,
        header: inout VirtioHeader
    ) -> Outcome {
        if packet.ecn != 0 {
            markExperienced(&bytes, family: packet.family)
            return .marked
        }
        return trim(&bytes, of: packet, header: &header)
    }

    private static func markExperienced(_ bytes: inout MutableSpan<UInt8>, family: IPAddress.Family) {
        switch family {
        case .v4:
            let old = bytes.u16(0)
            bytes.set(old | 3, at: 0)
            bytes.set(InternetChecksum.updated(bytes.u16(10), from: old, to: old | 3), at: 10)
        case .v6:
            bytes[1] |= 0x30
        }
    }

    private static func trim(
        _ bytes: inout MutableSpan<UInt8>,
        of packet: InnerPacket,
        header: inout VirtioHeader
    ) -> Outcome {
        let segment = Int(header.segmentSize)
        let payload = packet.length &- packet.payloadOffset
        let isTCP = header.segmentation == .tcpv4 || header.segmentation == .tcpv6
        guard isTCP, segment > 0, payload > segment, packet.kind & InnerPacket.TCPFlag.fin == 0 else {
            return .mustDrop
        }
        let last = payload % segment == 0 ? segment : payload % segment
        let length = packet.length &- last
        setLength(&bytes, of: packet, to: length)
        if payload &- last <= segment {
            header.segmentation = .none
            header.segmentSize = 0
            header.headerLength = 0
            header.hasECN = false
        }
        return .trimmed(length: length)
    }

    /// Writes a new total length, and repairs the sums that cover it.
    private static func setLength(_ bytes: inout MutableSpan<UInt8>, of packet: InnerPacket, to length: Int) {
        let field = packet.family == .v4 ? 2 : 4
        let old = bytes.u16(field)
        let new = UInt16(truncatingIfNeeded: packet.family == .v4 ? length : length &- 40)
        bytes.set(new, at: field)
        if packet.family == .v4 {
            bytes.set(InternetChecksum.updated(bytes.u16(10), from: old, to: new), at: 10)
        }
        // With an unfinished checksum the field holds the sum of the pseudo header, which has the TCP length in it.
        let sum = packet.transportOffset &+ 16
        let oldPart = UInt16(truncatingIfNeeded: packet.length &- packet.transportOffset)
        let newPart = UInt16(truncatingIfNeeded: length &- packet.transportOffset)
        bytes.set(InternetChecksum.fold(UInt32(bytes.u16(sum)) &+ UInt32(~oldPart) &+ UInt32(newPart)), at: sum)
    }
}
