/// Packets as a hostile client would send them, and what of them may pass.
package enum HostilePacket {
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

    /// A packet that may be fit to pass, or almost.
    package static func craft(_ random: inout SeededGenerator) -> [UInt8] {
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
                flags: ([0x02, 0x10, 0x12, 0x04, 0x18, 0x00] as [UInt8])[Int(random.next() % 6)],
                payload: payload(&random)
            )
        case 1:
            let ports: (UInt16, UInt16) = (random.next() % 2 == 0 ? 53 : 54, port)
            packet = TestPacket.udp(source, destination, ports: ports, payload: payload(&random))
        case 2:
            let kind = family.icmp.kinds[Int(random.next() % 5)]
            packet = TestPacket.icmp(source, destination, kind: kind, identifier: port)
        case 3:
            // An error about what the seed side is said to have sent: a question, or a service's answer.
            let target = random.next() % 8 == 0 ? family.sources[Int(random.next() % 7)] : source
            let sender = random.next() % 8 == 0 ? family.destinations[Int(random.next() % 7)] : destination
            let isAnswer = random.next() % 2 == 0
            let quoted =
                isAnswer
                ? TestPacket.tcp(sender, target, ports: (random.next() % 4 == 0 ? 444 : 443, port))
                : TestPacket.udp(sender, target, ports: (port, random.next() % 2 == 0 ? 53 : 54))
            packet = TestPacket.icmp(source, destination, kind: family.icmp.kinds[2], body: quoted)
        default: packet = odd(family, source, destination, port, &random)
        }
        if random.next() % 4 == 0 {
            let position = Int(random.next() % UInt64(packet.count))
            packet[position] = UInt8(truncatingIfNeeded: random.next())
        }
        return packet
    }

    /// Nothing, as a rule; sometimes what can be cut in pieces, and sometimes in more than there may be.
    private static func payload(_ random: inout SeededGenerator) -> Int {
        switch random.next() % 16 {
        case 0: 1500
        case 1...5: 40
        default: 0
        }
    }

    /// A virtio header to go before a packet: one that asks nothing, one that fits, or almost.
    package static func header(before packet: [UInt8], _ random: inout SeededGenerator) -> [UInt8] {
        guard random.next() % 3 != 0 else { return [UInt8](repeating: 0, count: 10) }
        func one(of values: [Int]) -> Int { values[Int(random.next() % UInt64(values.count))] }
        let isV4 = packet[0] >> 4 == 4
        let isTCP = packet[isV4 ? 9 : 6] == 6
        let segmentation = isTCP ? (isV4 ? 1 : 4) : 5
        let (start, field) = (isV4 ? 20 : 40, isTCP ? 16 : 6)
        var header: [Int] = [1, one(of: [0, 0, segmentation]), one(of: [0, 40, 255]), 0]
        header += [one(of: [1, 8, 20, 39]), 0, start, 0, field, 0]
        // One field of it is wrong now and then.
        switch random.next() % 12 {
        case 0: header[0] = one(of: [0, 2, 3, 4, 255])
        case 1: header[1] = one(of: [0, 1, 2, 3, 4, 5, 0x80, 0x81, 0x84, 0x85])
        case 2: (header[4], header[5]) = (one(of: [0, 1, 220, 255]), one(of: [0, 5, 255]))
        case 3: (header[6], header[7]) = (one(of: [0, 14, 20, 40, 60]), one(of: [0, 1]))
        case 4: (header[8], header[9]) = (one(of: [0, 2, 6, 16]), one(of: [0, 1]))
        default: break
        }
        return header.map { UInt8($0) }
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
    package struct Model {
        private var flows: Set<[UInt8]> = []

        package init() {}

        /// Notes what the seed side sent.
        package mutating func opened(_ packet: [UInt8]) {
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

        /// What the kernel is given of a packet and the virtio header before it; `nil` where that is nothing.
        package func delivered(_ header: [UInt8], _ packet: [UInt8]) -> [UInt8]? {
            guard allows(packet), let header = Self.header(header, before: packet) else { return nil }
            return header + packet
        }

        private func allows(_ packet: [UInt8]) -> Bool {
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

        /// What is left of a virtio header (linux/virtio_net.h), whose numbers are little-endian; `nil` where it contradicts a
        /// packet that may pass.
        private static func header(_ offered: [UInt8], before packet: [UInt8]) -> [UInt8]? {
            let (head, size) = (Head(packet), Int(offered[4]) + Int(offered[5]) * 256)
            let start = head.isV4 ? 20 : 40
            var result = [UInt8](repeating: 0, count: 10)
            switch offered[0] {
            case 0, 2: break
            case 1, 3:
                // The checksum's field of TCP, or of UDP.
                guard head.transport == 6 || head.transport == 17 else { return nil }
                let field: UInt8 = head.transport == 6 ? 16 : 6
                guard Array(offered[6...]) == [UInt8(start), 0, field, 0] else { return nil }
                (result[0], result[6], result[8]) = (1, UInt8(start), field)
            default: return nil
            }
            let headers: Int
            switch (offered[1], head.transport, head.isV4) {
            case (0, _, _), (0x80, _, _): return result
            case (1, 6, true), (0x81, 6, true), (4, 6, false), (0x84, 6, false):
                guard head.segment[13] & 6 == 0 else { return nil }
                headers = Int(head.segment[12] >> 4) * 4
            case (5, 17, _): headers = 8
            default: return nil
            }
            let payload = head.segment.count - headers
            guard result[0] == 1, size > 0, size < payload, (payload + size - 1) / size <= 1024 else { return nil }
            result.replaceSubrange(1..<6, with: [offered[1], UInt8(start + headers), 0, offered[4], offered[5]])
            return result
        }

        /// Whether this is the port and one of the two addresses of what the shoot may open connections to, by TCP.
        private static func isService(_ address: [UInt8], _ port: [UInt8]) -> Bool {
            port == [1, 187]
                && [[10, 1, 0, 9], [0xFD, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9]].contains(address)
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
            if Self.isService(head.destination, head.ports.1) { return true }
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
            guard quoted.source == head.destination, Self.isClients(quoted.destination) else { return false }
            if quoted.transport == 6, Self.isService(quoted.source, quoted.ports.0) { return true }
            return flows.contains(
                Self.flow(quoted.transport, quoted.source, quoted.ports.0, quoted.destination, quoted.ports.1)
            )
        }
    }
}
