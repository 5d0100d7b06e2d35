package import TendrilCore

/// Builds well-formed packets, with the reference way to compute checksums.
package enum TestPacket {
    package static func address(_ text: String) -> IPAddress { IPAddress(text) ?? IPAddress(v4: 0) }

    /// A TCP segment with the MSS option where one is given.
    package static func tcp(
        _ source: String,
        _ destination: String,
        ports: (UInt16, UInt16) = (40000, 443),
        flags: UInt8 = 0x10,
        mss: UInt16? = nil,
        payload: Int = 0,
        ecn: UInt8 = 0
    ) -> [UInt8] {
        var options: [UInt8] = []
        if let mss { options = [2, 4, UInt8(mss >> 8), UInt8(mss & 0xFF)] }
        var segment = bytes(ports.0) + bytes(ports.1) + [0, 0, 0, 1, 0, 0, 0, 1]
        segment += [UInt8((20 + options.count) / 4) << 4, flags, 0xFF, 0xFF, 0, 0, 0, 0]
        segment += options + (0..<payload).map { UInt8(truncatingIfNeeded: $0) }
        return packet(source, destination, transport: 6, checksumAt: 16, segment, ecn: ecn)
    }

    package static func udp(
        _ source: String,
        _ destination: String,
        ports: (UInt16, UInt16) = (40000, 53),
        payload: Int = 8
    ) -> [UInt8] {
        let datagram = bytes(ports.0) + bytes(ports.1) + bytes(UInt16(8 + payload)) + [0, 0]
        return packet(
            source,
            destination,
            transport: 17,
            checksumAt: 6,
            datagram + Array(repeating: 0x61, count: payload)
        )
    }

    /// An ICMP or ICMPv6 message.
    package static func icmp(
        _ source: String,
        _ destination: String,
        kind: UInt8,
        identifier: UInt16 = 7,
        body: [UInt8] = []
    ) -> [UInt8] {
        let isV6 = address(source).family == .v6
        let message = [kind, 0, 0, 0] + bytes(identifier) + [0, 1] + body
        return packet(source, destination, transport: isV6 ? 58 : 1, checksumAt: 2, message)
    }

    /// Wraps a transport segment and fills in its checksum.
    package static func packet(
        _ source: String,
        _ destination: String,
        transport: UInt8,
        checksumAt offset: Int?,
        _ segment: [UInt8],
        ecn: UInt8 = 0
    ) -> [UInt8] {
        let (from, to) = (address(source), address(destination))
        var segment = segment
        if let offset {
            let needsPseudo = transport != 1
            let sum = checksum(segment, initial: needsPseudo ? pseudo(from, to, transport, segment.count) : 0)
            segment.replaceSubrange(offset..<(offset + 2), with: bytes(sum))
        }
        var header: [UInt8]
        switch from.family {
        case .v4:
            header = [0x45, ecn] + bytes(UInt16(20 + segment.count)) + [0, 1, 0x40, 0, 64, transport, 0, 0]
            header += from.bytes + to.bytes
            header.replaceSubrange(10..<12, with: bytes(checksum(header)))
        case .v6:
            header = [0x60, ecn << 4, 0, 0] + bytes(UInt16(segment.count)) + [transport, 64] + from.bytes + to.bytes
        }
        return header + segment
    }

    /// The sum of the pseudo header (RFC 9293 section 3.1, RFC 8200 section 8.1), not complemented.
    package static func pseudo(_ from: IPAddress, _ to: IPAddress, _ transport: UInt8, _ length: Int) -> UInt32 {
        let header = from.bytes + to.bytes + [0, transport] + bytes(UInt16(length))
        return UInt32(~checksum(header))
    }

    /// A TCP or UDP packet whose transport checksum holds the pseudo header's sum only, as a kernel leaves it to its device.
    package static func withPartialChecksum(_ packet: [UInt8]) -> [UInt8] {
        var packet = packet
        let isV4 = packet[0] >> 4 == 4
        let offset = isV4 ? 20 : 40
        let transport = packet[isV4 ? 9 : 6]
        let from = IPAddress(bytes: packet[isV4 ? 12..<16 : 8..<24]) ?? IPAddress(v4: 0)
        let to = IPAddress(bytes: packet[isV4 ? 16..<20 : 24..<40]) ?? IPAddress(v4: 0)
        let sum = pseudo(from, to, transport, packet.count - offset)
        let field = offset + (transport == 6 ? 16 : 6)
        packet.replaceSubrange(field..<(field + 2), with: bytes(UInt16(truncatingIfNeeded: sum)))
        return packet
    }

    /// The Internet checksum (RFC 1071), the slow and plain way.
    package static func checksum(_ bytes: [UInt8], initial: UInt32 = 0) -> UInt16 {
        var sum = initial
        for index in stride(from: 0, to: bytes.count, by: 2) {
            sum += UInt32(bytes[index]) << 8 | (index + 1 < bytes.count ? UInt32(bytes[index + 1]) : 0)
            sum = (sum & 0xFFFF) + (sum >> 16)
        }
        return ~UInt16(sum)
    }

    /// Whether IP header checksum and transport checksum are right.
    package static func isSound(_ packet: [UInt8]) -> Bool {
        let isV4 = packet[0] >> 4 == 4
        let offset = isV4 ? 20 : 40
        if isV4, checksum(Array(packet[..<20])) != 0 { return false }
        let (from, to) = (
            IPAddress(bytes: packet[isV4 ? 12..<16 : 8..<24]), IPAddress(bytes: packet[isV4 ? 16..<20 : 24..<40])
        )
        guard let from, let to else { return false }
        let transport = packet[isV4 ? 9 : 6]
        let segment = Array(packet[offset...])
        return checksum(segment, initial: transport == 1 ? 0 : pseudo(from, to, transport, segment.count)) == 0
    }

    private static func bytes(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(value & 0xFF)] }
}
