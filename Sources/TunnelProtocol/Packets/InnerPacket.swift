public import TendrilCore

/// The headers of one packet inside the tunnel, read strictly: what is unusual is refused, not guessed at.
public struct InnerPacket: Sendable {
    /// The transports that are carried (IANA protocol numbers).
    public enum Transport: UInt8, Sendable {
        case tcp = 6
        case udp = 17
        case icmp = 1
        case icmpv6 = 58
    }

    /// The bits of the TCP flags byte that decide something (RFC 9293 section 3.1).
    public enum TCPFlag {
        /// The sender has no more data.
        @inlinable public static var fin: UInt8 { 0x01 }
        /// A connection is opened.
        @inlinable public static var syn: UInt8 { 0x02 }
        /// A connection is reset.
        @inlinable public static var rst: UInt8 { 0x04 }
        /// The acknowledgement number counts.
        @inlinable public static var ack: UInt8 { 0x10 }
    }

    /// The address of the sender.
    public let source: IPAddress
    /// The address of the receiver.
    public let destination: IPAddress
    /// What the packet carries.
    public let transport: Transport
    /// The length of the whole packet in bytes.
    public let length: Int
    /// Where the transport header starts.
    public let transportOffset: Int
    /// Where the transport's payload starts.
    public let payloadOffset: Int
    /// The source port; for ICMP echo the identifier; otherwise 0.
    public let sourcePort: UInt16
    /// The destination port; for ICMP echo the identifier; otherwise 0.
    public let destinationPort: UInt16
    /// The TCP flags, or the ICMP type; 0 for UDP.
    public let kind: UInt8
    /// The ECN field of the IP header (RFC 3168): 0 where the sender does not speak it.
    public let ecn: UInt8

    /// The family of its addresses.
    public var family: IPAddress.Family { source.family }

    /// Reads a packet that fills `bytes` exactly.
    public static func parse(_ bytes: borrowing Span<UInt8>) throws(PacketRefusal) -> InnerPacket {
        guard bytes.count >= 20 else { throw PacketRefusal(.malformed) }
        switch bytes[0] >> 4 {
        case 4: return try parseV4(bytes)
        case 6: return try parseV6(bytes)
        default: throw PacketRefusal(.malformed)
        }
    }

    private static func parseV4(_ bytes: borrowing Span<UInt8>) throws(PacketRefusal) -> InnerPacket {
        let words = bytes[0] & 0x0F
        guard words >= 5, bytes.count >= Int(words) &* 4, Int(bytes.u16(2)) == bytes.count else {
            throw PacketRefusal(.malformed)
        }
        guard words == 5 else { throw PacketRefusal(.options) }
        // More-fragments, or an offset; the reserved bit is nobody's.
        let fragment = bytes.u16(6)
        guard fragment & 0x3FFF == 0 else { throw PacketRefusal(.fragment) }
        guard fragment & 0x8000 == 0 else { throw PacketRefusal(.malformed) }
        return try parseTransport(
            bytes,
            number: bytes[9],
            offset: 20,
            source: IPAddress(v4: bytes.u32(12)),
            destination: IPAddress(v4: bytes.u32(16)),
            ecn: bytes[1] & 3
        )
    }

    private static func parseV6(_ bytes: borrowing Span<UInt8>) throws(PacketRefusal) -> InnerPacket {
        guard bytes.count >= 40, Int(bytes.u16(4)) &+ 40 == bytes.count else { throw PacketRefusal(.malformed) }
        let number = bytes[6]
        switch number {
        case 44: throw PacketRefusal(.fragment)
        case 0, 43, 51, 60, 135, 139, 140: throw PacketRefusal(.extensionHeader)
        default: break
        }
        return try parseTransport(
            bytes,
            number: number,
            offset: 40,
            source: IPAddress(v6High: bytes.u64(8), low: bytes.u64(16)),
            destination: IPAddress(v6High: bytes.u64(24), low: bytes.u64(32)),
            ecn: bytes[1] >> 4 & 3
        )
    }

    private static func parseTransport(
        _ bytes: borrowing Span<UInt8>,
        number: UInt8,
        offset: Int,
        source: IPAddress,
        destination: IPAddress,
        ecn: UInt8
    ) throws(PacketRefusal) -> InnerPacket {
        guard source.isRoutableUnicast, destination.isRoutableUnicast, source != destination else {
            throw PacketRefusal(.martian)
        }
        guard let transport = Transport(rawValue: number), (transport == .icmp) == (offset == 20 && number == 1),
            (transport == .icmpv6) == (offset == 40 && number == 58)
        else { throw PacketRefusal(.transport) }
        let head = try TransportHead.parse(transport, bytes, offset: offset)
        return InnerPacket(
            source: source,
            destination: destination,
            transport: transport,
            length: bytes.count,
            transportOffset: offset,
            payloadOffset: head.payloadOffset,
            sourcePort: head.sourcePort,
            destinationPort: head.destinationPort,
            kind: head.kind,
            ecn: ecn
        )
    }
}

/// A packet was refused while it was read; sending it again cannot help.
public struct PacketRefusal: Error, Hashable, Sendable {
    /// What is wrong with it.
    public let reason: DropReason

    /// Makes a refusal.
    @inlinable
    public init(_ reason: DropReason) { self.reason = reason }
}

/// What the transport header says, in the terms of `InnerPacket`.
private struct TransportHead {
    let payloadOffset: Int
    let sourcePort: UInt16
    let destinationPort: UInt16
    let kind: UInt8

    static func parse(
        _ transport: InnerPacket.Transport,
        _ bytes: borrowing Span<UInt8>,
        offset: Int
    ) throws(PacketRefusal) -> TransportHead {
        let rest = bytes.count &- offset
        switch transport {
        case .tcp:
            guard rest >= 20 else { throw PacketRefusal(.malformed) }
            let header = Int(bytes[offset &+ 12] >> 4) &* 4
            guard header >= 20, header <= rest, bytes.u16(offset) != 0, bytes.u16(offset &+ 2) != 0 else {
                throw PacketRefusal(.malformed)
            }
            return TransportHead(
                payloadOffset: offset &+ header,
                sourcePort: bytes.u16(offset),
                destinationPort: bytes.u16(offset &+ 2),
                kind: bytes[offset &+ 13]
            )
        case .udp:
            guard rest >= 8, Int(bytes.u16(offset &+ 4)) == rest, bytes.u16(offset &+ 2) != 0 else {
                throw PacketRefusal(.malformed)
            }
            return TransportHead(
                payloadOffset: offset &+ 8,
                sourcePort: bytes.u16(offset),
                destinationPort: bytes.u16(offset &+ 2),
                kind: 0
            )
        case .icmp, .icmpv6:
            guard rest >= 8 else { throw PacketRefusal(.malformed) }
            let kind = bytes[offset]
            let isEcho = transport == .icmp ? kind == 8 || kind == 0 : kind == 128 || kind == 129
            let identifier = isEcho ? bytes.u16(offset &+ 4) : 0
            return TransportHead(
                payloadOffset: offset &+ 8,
                sourcePort: identifier,
                destinationPort: identifier,
                kind: kind
            )
        }
    }
}

extension InnerPacket {
    /// Whether this is an ICMP echo request or reply.
    public var isEcho: Bool {
        switch transport {
        case .icmp: kind == 8 || kind == 0
        case .icmpv6: kind == 128 || kind == 129
        case .tcp, .udp: false
        }
    }

    /// Whether this is an ICMP error, which quotes the packet that caused it (RFC 1122, RFC 4443).
    public var isICMPError: Bool {
        switch transport {
        case .icmp: kind == 3 || kind == 11 || kind == 12
        case .icmpv6: (1...4).contains(kind)
        case .tcp, .udp: false
        }
    }

    /// Whether this opens a TCP connection.
    public var opensConnection: Bool {
        transport == .tcp && kind & (TCPFlag.syn | TCPFlag.ack) == TCPFlag.syn
    }
}
