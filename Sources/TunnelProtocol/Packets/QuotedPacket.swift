package import TendrilCore

/// The start of a packet that an ICMP error quotes: addresses and ports, no more can be relied on.
package struct QuotedPacket: Sendable {
    package let source: IPAddress
    package let destination: IPAddress
    package let transport: InnerPacket.Transport
    package let sourcePort: UInt16
    package let destinationPort: UInt16

    /// Reads what stands behind the ICMP header of `packet`, or returns `nil` where it is no usable quotation.
    package init?(in bytes: borrowing Span<UInt8>, of packet: InnerPacket) {
        let start = packet.payloadOffset
        let header = packet.family == .v4 ? 20 : 40
        guard packet.isICMPError, bytes.count >= start &+ header &+ 8 else { return nil }
        let number: UInt8
        switch packet.family {
        case .v4:
            guard bytes[start] == 0x45, bytes.u16(start &+ 6) & 0x1FFF == 0 else { return nil }
            number = bytes[start &+ 9]
            source = IPAddress(v4: bytes.u32(start &+ 12))
            destination = IPAddress(v4: bytes.u32(start &+ 16))
        case .v6:
            guard bytes[start] >> 4 == 6 else { return nil }
            number = bytes[start &+ 6]
            source = IPAddress(v6High: bytes.u64(start &+ 8), low: bytes.u64(start &+ 16))
            destination = IPAddress(v6High: bytes.u64(start &+ 24), low: bytes.u64(start &+ 32))
        }
        guard let transport = InnerPacket.Transport(rawValue: number) else { return nil }
        self.transport = transport
        let ports = start &+ header
        switch transport {
        case .tcp, .udp:
            sourcePort = bytes.u16(ports)
            destinationPort = bytes.u16(ports &+ 2)
        case .icmp, .icmpv6:
            sourcePort = bytes.u16(ports &+ 4)
            destinationPort = sourcePort
        }
    }
}
