import TestSupport

/// Packets as a hostile client would send them, and what of them may pass.
enum HostilePacket {
    /// The addresses of one family: the client's own come first, then those that it has no right to.
    private struct Family {
        let sources: [String]
        let destinations: [String]
        /// ICMP's number, and its messages: the echo's answer and question, errors, and others.
        let icmp: (transport: UInt8, kinds: [UInt8])
        /// Transports, and what may stand where a transport should.
        let odd: [UInt8]
    }

    private static let v4 = Family(
        sources: ["10.2.0.5", "10.2.9.9", "10.3.0.5", "10.1.0.1", "127.0.0.1", "192.0.2.1", "169.254.169.254"],
        destinations: ["10.1.0.1", "10.1.0.9", "10.2.0.7", "10.3.0.1", "127.0.0.1", "224.0.0.1", "10.99.0.1"],
        icmp: (1, [0, 8, 3, 5, 11]),
        odd: Array(0..<150)
    )

    private static let v6 = Family(
        sources: ["fd02::5", "fd02::9:9", "fd03::5", "fd01::1", "::1", "fe80::1", "::ffff:a02:5"],
        destinations: ["fd01::1", "fd01::9", "fd02::7", "fd03::1", "::1", "ff02::1", "fd99::1"],
        icmp: (58, [129, 128, 1, 2, 134]),
        // Extension headers among them (IANA), and both kinds of tunnelled IP.
        odd: [0, 4, 6, 17, 41, 43, 44, 50, 51, 58, 59, 60, 135, 139, 140]
    )

    static func craft(_ random: inout SeededGenerator) -> [UInt8] {
        let family = random.next() % 2 == 0 ? v4 : v6
        let isStranger = random.next() % 3 == 0
        let source = family.sources[isStranger ? Int(random.next() % 7) : 0]
        let destination = family.destinations[random.next() % 3 == 0 ? Int(random.next() % 7) : Int(random.next() % 2)]
        let port = UInt16(990 + random.next() % 60)
        var packet: [UInt8]
        switch random.next() % 5 {
        case 0:
            packet = TestPacket.tcp(
                source,
                destination,
                ports: random.next() % 2 == 0 ? (80, port) : (port, 443),
                flags: ([0x02, 0x10, 0x12, 0x04, 0x18, 0x00] as [UInt8])[Int(random.next() % 6)]
            )
        case 1: packet = TestPacket.udp(source, destination, ports: (random.next() % 2 == 0 ? 53 : 54, port))
        case 2:
            let kind = family.icmp.kinds[Int(random.next() % 5)]
            packet = TestPacket.icmp(source, destination, kind: kind, identifier: port)
        case 3:
            // An error about what the seed side is said to have sent.
            let quoted = TestPacket.udp(destination, source, ports: (port, random.next() % 2 == 0 ? 53 : 54))
            packet = TestPacket.icmp(source, destination, kind: family.icmp.kinds[2], body: quoted)
        default: packet = odd(family, source, destination, port, &random)
        }
        if random.next() % 4 == 0 {
            let position = Int(random.next() % UInt64(packet.count))
            packet[position] = UInt8(truncatingIfNeeded: random.next())
        }
        return packet
    }

    /// A header that should not be there before an answer that may pass: a fragment's, options', any number.
    private static func odd(
        _ family: Family,
        _ source: String,
        _ destination: String,
        _ port: UInt16,
        _ random: inout SeededGenerator
    ) -> [UInt8] {
        let inner = TestPacket.udp(source, destination, ports: (53, port))
        let transport = family.odd[Int(random.next() % UInt64(family.odd.count))]
        let isFirst = random.next() % 2 == 0
        let header: [UInt8] = [17, 0, 0, isFirst ? 1 : 8, 0, 0, 0, 0]
        let segment = random.next() % 2 == 0 ? header + inner.suffix(16) : Array(repeating: 0, count: 24)
        return TestPacket.packet(source, destination, transport: transport, checksumAt: nil, segment)
    }

    /// What may pass, written down once more and as plainly as possible.
    struct Model {
        private var flows: Set<[UInt8]> = []

        mutating func opened(_ packet: [UInt8]) {
            let head = Head(packet)
            flows.insert(Self.flow(head.transport, head.source, head.ports.0, head.destination, head.ports.1))
        }

        private static func flow(
            _ transport: UInt8,
            _ from: [UInt8],
            _ fromPort: [UInt8],
            _ to: [UInt8],
            _ toPort: [UInt8]
        ) -> [UInt8] { [transport] + from + fromPort + to + toPort }

        /// Where things stand in a packet without options and extension headers.
        private struct Head {
            let isV4: Bool
            let transport: UInt8
            let source: [UInt8]
            let destination: [UInt8]
            let segment: [UInt8]

            init(_ packet: [UInt8]) {
                isV4 = packet[0] >> 4 == 4
                transport = packet[isV4 ? 9 : 6]
                source = Array(packet[isV4 ? 12..<16 : 8..<24])
                destination = Array(packet[isV4 ? 16..<20 : 24..<40])
                segment = Array(packet[(isV4 ? 20 : 40)...])
            }

            /// Of an echo its identifier, twice.
            var ports: ([UInt8], [UInt8]) {
                let isICMP = transport == 1 || transport == 58
                return isICMP
                    ? (Array(segment[4..<6]), Array(segment[4..<6])) : (Array(segment[..<2]), Array(segment[2..<4]))
            }
        }

        private static func number(_ bytes: [UInt8], at index: Int) -> Int {
            Int(bytes[index]) << 8 | Int(bytes[index + 1])
        }

        /// Whether a packet has the one form that is carried: no options, no fragments, its length right.
        private static func isPlain(_ packet: [UInt8]) -> Bool {
            switch packet[0] >> 4 {
            case 4:
                packet[0] == 0x45 && number(packet, at: 2) == packet.count && packet[6] & 0xBF == 0 && packet[7] == 0
            case 6: packet.count >= 40 && number(packet, at: 4) == packet.count - 40
            default: false
            }
        }

        private static func isClients(_ address: [UInt8]) -> Bool {
            address.count == 4 ? address.starts(with: [10, 2]) : address.starts(with: [0xFD, 2, 0, 0, 0, 0, 0, 0])
        }

        /// Whether an address lies outside the shoot, and a packet may be for it at all.
        private static func isSeeds(_ address: [UInt8]) -> Bool {
            guard address.count == 16 else {
                let first = address[0]
                return first != 0 && first != 127 && first < 224 && !address.starts(with: [169, 254])
                    && !address.starts(with: [10, 2]) && !address.starts(with: [10, 3])
            }
            if [[0xFD, 2, 0, 0, 0, 0, 0, 0], [0xFD, 3, 0, 0, 0, 0, 0, 0]].contains(Array(address[..<8])) {
                return false
            }
            if address[0] == 0xFF || (address[0] == 0xFE && address[1] & 0xC0 == 0x80) { return false }
            let isOldStyle = [[0, 0, 0, 0], [0, 0, 0xFF, 0xFF]].contains(Array(address[8..<12]))
            return !(address[..<8].allSatisfy { $0 == 0 } && isOldStyle)
        }

        func allows(_ packet: [UInt8]) -> Bool {
            guard Self.isPlain(packet), case let head = Head(packet), Self.isClients(head.source),
                Self.isSeeds(head.destination)
            else { return false }
            switch (head.transport, head.isV4) {
            case (6, _): return allowsTCP(head)
            case (17, _): return allowsUDP(head)
            case (1, true): return allowsICMP(head, answer: 0, errors: [3, 11, 12])
            case (58, false): return allowsICMP(head, answer: 129, errors: [1, 2, 3, 4])
            default: return false
            }
        }

        private func isAnswer(_ head: Head) -> Bool {
            let flow = Self.flow(head.transport, head.destination, head.ports.1, head.source, head.ports.0)
            return flows.contains(flow)
        }

        private func allowsTCP(_ head: Head) -> Bool {
            let segment = head.segment
            guard segment.count >= 20, case let header = Int(segment[12] >> 4) * 4,
                (20...segment.count).contains(header),
                head.ports.0 != [0, 0], head.ports.1 != [0, 0]
            else { return false }
            let services: [[UInt8]] = [
                [10, 1, 0, 9], [0xFD, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9],
            ]
            if services.contains(head.destination), head.ports.1 == [1, 187] { return true }
            return segment[13] & 0x12 != 0x02 && isAnswer(head)
        }

        private func allowsUDP(_ head: Head) -> Bool {
            head.segment.count >= 8 && Self.number(head.segment, at: 4) == head.segment.count
                && head.ports.1 != [0, 0] && isAnswer(head)
        }

        private func allowsICMP(_ head: Head, answer: UInt8, errors: [UInt8]) -> Bool {
            guard head.segment.count >= 8 else { return false }
            if head.segment[0] == answer { return isAnswer(head) }
            let quotation = Array(head.segment[8...])
            guard errors.contains(head.segment[0]), quotation.count >= (head.isV4 ? 28 : 48) else { return false }
            let isOne =
                head.isV4
                ? quotation[0] == 0x45 && quotation[6] & 0x1F == 0 && quotation[7] == 0 : quotation[0] >> 4 == 6
            guard isOne, case let quoted = Head(quotation) else { return false }
            return quoted.source == head.destination && Self.isClients(quoted.destination)
                && flows.contains(
                    Self.flow(quoted.transport, quoted.source, quoted.ports.0, quoted.destination, quoted.ports.1)
                )
        }
    }
}
