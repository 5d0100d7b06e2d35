import TendrilCore

/// Writes the ICMP error that tells a sender to use smaller packets.
package enum PacketTooBig {
    /// The most bytes that `write` produces: an IPv6 error of the minimum MTU (RFC 4443 section 2.4).
    package static var maximumLength: Int { 1280 }

    /// Whether the packet, or a segment of it, is larger than `mtu` bytes.
    package static func exceeds(_ packet: InnerPacket, header: VirtioHeader, mtu: Int) -> Bool {
        let largest =
            header.segmentation == .none ? packet.length : packet.payloadOffset &+ Int(header.segmentSize)
        return largest > mtu
    }

    /// Writes an error about `packet` and returns its length, or `nil` where none may be sent.
    ///
    /// IPv4: destination unreachable, fragmentation needed (RFC 1191). IPv6: packet too big (RFC 4443). The error
    /// comes from the packet's own destination, for the tunnel has no address that every sender can reach.
    ///
    /// - Parameters:
    ///   - output: at least `maximumLength` bytes.
    ///   - bytes: the refused packet.
    ///   - packet: what its headers say.
    ///   - mtu: the size in bytes that would have fitted.
    /// - Returns: the length of the error in bytes, or `nil`.
    package static func write(
        to output: inout MutableSpan<UInt8>,
        about bytes: borrowing Span<UInt8>,
        of packet: InnerPacket,
        mtu: Int
    ) -> Int? {
        guard !packet.isICMPError, output.count >= maximumLength else { return nil }
        switch packet.family {
        case .v4: return writeV4(to: &output, about: bytes, of: packet, mtu: mtu)
        case .v6: return writeV6(to: &output, about: bytes, of: packet, mtu: mtu)
        }
    }

    private static func writeV4(
        to output: inout MutableSpan<UInt8>,
        about bytes: borrowing Span<UInt8>,
        of packet: InnerPacket,
        mtu: Int
    ) -> Int? {
        // Without "don't fragment" the sender would not expect the error.
        guard bytes.u16(6) & 0x4000 != 0 else { return nil }
        // RFC 1812 section 4.3.2.3: as much as fits into 576 bytes.
        let quoted = min(bytes.count, 548)
        let length = 28 &+ quoted
        let head: [UInt8] = [0x45, 0xC0, UInt8(length >> 8), UInt8(length & 0xFF), 0, 0, 0, 0, 64, 1, 0, 0]
        put(head, in: &output, at: 0)
        put(packet.destination.bytes + packet.source.bytes, in: &output, at: 12)
        output.set(~InternetChecksum.fold(sum(output, 0..<20)), at: 10)
        put([3, 4, 0, 0, 0, 0, UInt8(mtu >> 8 & 0xFF), UInt8(mtu & 0xFF)], in: &output, at: 20)
        for index in 0..<quoted { output[28 &+ index] = bytes[index] }
        output.set(~InternetChecksum.fold(sum(output, 20..<length)), at: 22)
        return length
    }

    private static func writeV6(
        to output: inout MutableSpan<UInt8>,
        about bytes: borrowing Span<UInt8>,
        of packet: InnerPacket,
        mtu: Int
    ) -> Int? {
        let quoted = min(bytes.count, maximumLength &- 48)
        let payload = 8 &+ quoted
        put([0x60, 0, 0, 0, UInt8(payload >> 8), UInt8(payload & 0xFF), 58, 64], in: &output, at: 0)
        put(packet.destination.bytes + packet.source.bytes, in: &output, at: 8)
        put([2, 0, 0, 0], in: &output, at: 40)
        output.set(UInt32(clamping: mtu), at: 44)
        for index in 0..<quoted { output[48 &+ index] = bytes[index] }
        let pseudo = sum(output, 8..<40) &+ UInt32(payload) &+ 58
        let total = UInt32(InternetChecksum.fold(pseudo)) &+ sum(output, 40..<(40 &+ payload))
        output.set(~InternetChecksum.fold(total), at: 42)
        return 40 &+ payload
    }

    private static func put(_ values: [UInt8], in output: inout MutableSpan<UInt8>, at offset: Int) {
        for (index, value) in values.enumerated() { output[offset &+ index] = value }
    }

    private static func sum(_ bytes: borrowing MutableSpan<UInt8>, _ range: Range<Int>) -> UInt32 {
        var sum: UInt32 = 0
        for offset in stride(from: range.lowerBound, to: range.upperBound, by: 2) {
            let low = offset &+ 1 < range.upperBound ? UInt32(bytes[offset &+ 1]) : 0
            sum = UInt32(InternetChecksum.fold(sum &+ (UInt32(bytes[offset]) << 8 | low)))
        }
        return sum
    }
}
