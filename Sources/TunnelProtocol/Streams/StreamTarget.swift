package import TendrilCore

/// Where the far end of a stream is to connect to.
package enum StreamTarget: Hashable, Sendable, CustomStringConvertible {
    case address(IPAddress, port: UInt16)
    /// A node's name, which the far end resolves.
    case name(String, port: UInt16)
    /// One of the few services of the other side that have a name.
    case service(String)

    /// The one service that a shoot can reach.
    package static let apiServer = StreamTarget.service("kube-apiserver")

    /// The most bytes in a frame: with the longest name (RFC 1035, section 2.3.4).
    package static var maximumByteCount: Int { 3 + 253 }

    /// Reads the authority of a CONNECT request: `host:port`, IPv6 addresses in brackets (RFC 9112, section 3.2.3).
    package init?(authority: String) {
        guard let endpoint = Endpoint(authority), endpoint.port > 0 else { return nil }
        if let address = IPAddress(endpoint.host) {
            self = .address(address, port: endpoint.port)
        } else {
            guard Self.isName(endpoint.host) else { return nil }
            self = .name(endpoint.host.lowercased(), port: endpoint.port)
        }
    }

    /// Whether a text can be a host's name; a text that may be read as an address in another notation is none.
    package static func isName(_ text: String) -> Bool {
        // inet_aton(3) takes 0x7f.1 and 2130706433 for addresses.
        Endpoint.isHostName(text) && !text.split(separator: ".").allSatisfy(isNumber)
    }

    /// Whether a label may be read as a decimal, octal or hexadecimal number.
    private static func isNumber(_ label: Substring) -> Bool {
        let isHexadecimal = label.hasPrefix("0x") || label.hasPrefix("0X")
        return isHexadecimal ? label.dropFirst(2).allSatisfy(\.isHexDigit) : label.allSatisfy(\.isNumber)
    }

    package var description: String {
        switch self {
        case .address(let address, let port): Endpoint(host: address.description, port: port).description
        case .name(let name, let port): "\(name):\(port)"
        case .service(let name): name
        }
    }

    private enum Tag: UInt8 { case v4 = 1, v6 = 2, name = 3, service = 4 }

    /// How the target stands in a frame.
    package var bytes: [UInt8] {
        switch self {
        case .address(let address, let port):
            let tag: Tag = address.family == .v4 ? .v4 : .v6
            return [tag.rawValue, UInt8(port >> 8), UInt8(port & 0xFF)] + address.bytes
        case .name(let name, let port):
            return [Tag.name.rawValue, UInt8(port >> 8), UInt8(port & 0xFF)] + Array(name.utf8)
        case .service(let name): return [Tag.service.rawValue, 0, 0] + Array(name.utf8)
        }
    }

    /// Reads what stands in a frame.
    package init(_ bytes: [UInt8]) throws(ProtocolViolation) {
        guard bytes.count > 3, let tag = Tag(rawValue: bytes[0]) else { throw .badStream }
        let port = UInt16(bytes[1]) << 8 | UInt16(bytes[2])
        let rest = bytes[3...]
        switch tag {
        case .v4, .v6:
            guard rest.count == (tag == .v4 ? 4 : 16), port > 0, let address = IPAddress(bytes: rest) else {
                throw .badStream
            }
            self = .address(address, port: port)
        case .name, .service:
            let text = String(decoding: rest, as: UTF8.self)
            guard Self.isName(text), tag == .service || port > 0 else { throw .badStream }
            self = tag == .service ? .service(text) : .name(text, port: port)
        }
    }
}
