package import TendrilCore

/// The first frame in each direction: who speaks, and what it serves.
///
/// A row of fields, each a tag (1 byte), a length (2 bytes) and a value. Unknown tags are passed over, so that a newer
/// peer can say more; a field that comes twice, is missing or does not parse is a violation.
package struct Hello: Hashable, Sendable {
    /// What the sender's TUN device takes, beyond plain packets.
    package struct Features: OptionSet, Hashable, Sendable {
        package let rawValue: UInt32
        package init(rawValue: UInt32) { self.rawValue = rawValue }

        /// TCP super-packets and unfinished checksums.
        package static let segmentation = Features(rawValue: 1)
        /// UDP super-packets.
        package static let datagramSegmentation = Features(rawValue: 2)
        /// The sender has a TUN device at all.
        package static let packets = Features(rawValue: 4)
        /// The sender takes streams.
        package static let streams = Features(rawValue: 8)
        /// Streams of a lane that was lost may go on over another one.
        package static let movingStreams = Features(rawValue: 16)
    }

    /// The version of the protocol that this program speaks.
    package static var currentVersion: UInt16 { 1 }
    /// The longest hello in bytes.
    package static var maximumByteCount: Int { 16 * 1024 }
    /// The most networks, and the most addresses, that one hello announces.
    package static var maximumNetworks: Int { 256 }
    /// The most instances of a server.
    package static var maximumInstances: Int { 16 }
    /// The most lanes of a link.
    package static var maximumLanes: Int { 16 }

    package var version: UInt16 = currentVersion
    /// 128 random bits: one run of the client; a server's own are those of its run.
    package var session: UInt128
    /// Which lane of the link this connection is: 0..<lanes.
    package var lane: Int
    /// How many lanes the sender would have: 1...16; the link has the larger number of both sides.
    package var lanes: Int
    /// The largest packet in bytes that the sender's TUN device takes.
    package var mtu: Int
    package var features: Features
    /// The sender's own tunnel addresses.
    package var addresses: [IPAddress]
    /// The networks that the sender serves.
    package var networks: [IPPrefix]
    /// The sender's program and version, for people.
    package var software: String
    /// How many instances of the sender there are behind its address: 1...16; a client has one.
    package var instances = 1

    package init(
        session: UInt128,
        lane: Int,
        lanes: Int,
        mtu: Int,
        features: Features,
        addresses: [IPAddress],
        networks: [IPPrefix],
        software: String,
        instances: Int = 1
    ) {
        self.instances = instances
        self.session = session
        self.lane = lane
        self.lanes = lanes
        self.mtu = mtu
        self.features = features
        self.addresses = addresses
        self.networks = networks
        self.software = software
    }

    private enum Tag: UInt8, CaseIterable {
        case version = 1
        case session = 2
        case lane = 3
        case mtu = 4
        case features = 5
        case addresses = 6
        case networks = 7
        case software = 8
        case instances = 9
    }

    /// The payload of a hello frame.
    package var payload: [UInt8] {
        var bytes: [UInt8] = []
        func field(_ tag: Tag, _ build: (inout [UInt8]) -> Void) {
            var value: [UInt8] = []
            build(&value)
            bytes.append(tag.rawValue)
            bytes.append(UInt64(value.count), bytes: 2)
            bytes += value
        }
        field(.version) { $0.append(UInt64(version), bytes: 2) }
        field(.session) {
            $0.append(UInt64(truncatingIfNeeded: session >> 64), bytes: 8)
            $0.append(UInt64(truncatingIfNeeded: session), bytes: 8)
        }
        field(.lane) { $0 += [UInt8(clamping: lane), UInt8(clamping: lanes)] }
        field(.mtu) { $0.append(UInt64(mtu), bytes: 4) }
        field(.features) { $0.append(UInt64(features.rawValue), bytes: 4) }
        field(.addresses) { value in
            for address in addresses { value += [address.family.rawValue] + address.bytes }
        }
        field(.networks) { value in
            for network in networks {
                value += [network.family.rawValue, UInt8(network.length)] + network.address.bytes
            }
        }
        field(.software) { $0 += software.utf8.prefix(64).map { $0.isPrintable ? $0 : 0x3F } }
        field(.instances) { $0.append(UInt8(clamping: instances)) }
        return bytes
    }

    /// Reads the payload of a hello frame.
    package init(_ payload: [UInt8]) throws(ProtocolViolation) {
        var fields: [UInt8: [UInt8]] = [:]
        var cursor = WireCursor(payload)
        while !cursor.isAtEnd {
            guard let tag = cursor.number(bytes: 1), let length = cursor.number(bytes: 2),
                let value = cursor.take(Int(length)),
                fields.updateValue(Array(value), forKey: UInt8(truncatingIfNeeded: tag)) == nil
            else { throw .badHello }
        }
        func field(_ tag: Tag) throws(ProtocolViolation) -> [UInt8] {
            guard let value = fields[tag.rawValue] else { throw .badHello }
            return value
        }
        version = UInt16(truncatingIfNeeded: try Self.number(field(.version), bytes: 2))
        let session = try field(.session)
        guard session.count == 16 else { throw .badHello }
        self.session = session.reduce(0) { $0 << 8 | UInt128($1) }
        let lane = try Self.number(field(.lane), bytes: 2)
        (self.lane, self.lanes) = (Int(lane >> 8), Int(lane & 0xFF))
        mtu = Int(try Self.number(field(.mtu), bytes: 4))
        features = Features(rawValue: UInt32(truncatingIfNeeded: try Self.number(field(.features), bytes: 4)))
        addresses = try Self.addresses(field(.addresses))
        networks = try Self.networks(field(.networks))
        software = PrintableText.make(try field(.software).prefix(64))
        // Absent from programs that knew one only.
        instances = Int(try Self.number(fields[Tag.instances.rawValue] ?? [1], bytes: 1))
        guard (1...Self.maximumInstances).contains(instances), (1...Self.maximumLanes).contains(lanes),
            lane >> 8 < UInt64(Self.maximumLanes),
            (1280...65535).contains(mtu)
        else { throw .badHello }
    }

    private static func number(_ value: [UInt8], bytes count: Int) throws(ProtocolViolation) -> UInt64 {
        guard value.count == count else { throw .badHello }
        return value.reduce(0) { $0 << 8 | UInt64($1) }
    }

    private static func addresses(_ value: [UInt8]) throws(ProtocolViolation) -> [IPAddress] {
        var cursor = WireCursor(value)
        var addresses: [IPAddress] = []
        while !cursor.isAtEnd {
            guard addresses.count < maximumNetworks else { throw .badHello }
            addresses.append(try address(family: cursor.number(bytes: 1), &cursor))
        }
        return addresses
    }

    private static func networks(_ value: [UInt8]) throws(ProtocolViolation) -> [IPPrefix] {
        var cursor = WireCursor(value)
        var networks: [IPPrefix] = []
        while !cursor.isAtEnd {
            guard networks.count < maximumNetworks else { throw .badHello }
            let family = cursor.number(bytes: 1)
            guard let length = cursor.number(bytes: 1) else { throw .badHello }
            let address = try address(family: family, &cursor)
            guard let network = IPPrefix(containing: address, length: Int(length)), network.address == address else {
                throw .badHello
            }
            networks.append(network)
        }
        return networks
    }

    private static func address(family: UInt64?, _ cursor: inout WireCursor) throws(ProtocolViolation) -> IPAddress {
        guard let family, let known = IPAddress.Family(rawValue: UInt8(truncatingIfNeeded: family)),
            let bytes = cursor.take(known.byteCount), let address = IPAddress(bytes: bytes)
        else { throw .badHello }
        return address
    }
}
