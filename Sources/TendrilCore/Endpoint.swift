/// A host, by name or address, and a port.
package struct Endpoint: Hashable, Sendable, CustomStringConvertible {
    /// A DNS name or an address without brackets; empty means every local address.
    package let host: String
    /// 1...65535, or 0 where the kernel is to choose.
    package let port: UInt16

    package init(host: String, port: UInt16) {
        self.host = host
        self.port = port
    }

    /// Parses `host:port`, `[address]:port` or `:port`; an IPv6 address needs its brackets.
    package init?(_ text: some StringProtocol) {
        guard let colon = text.lastIndex(of: ":") else { return nil }
        let digits = text[text.index(after: colon)...]
        guard (1...5).contains(digits.utf8.count), digits.utf8.allSatisfy(\.isDigit),
            let port = UInt16(digits)
        else { return nil }
        var host = String(text[..<colon])
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = String(host.dropFirst().dropLast())
            guard IPAddress(host)?.family == .v6 else { return nil }
        } else if host.contains(":") || host.contains("[") {
            return nil
        } else if !host.isEmpty, IPAddress(host) == nil, !Self.isHostName(host) {
            return nil
        }
        self.init(host: host, port: port)
    }

    package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

    /// Whether `text` is a host name by RFC 1123: labels of letters, digits and hyphens, 253 characters at most.
    package static func isHostName(_ text: String) -> Bool {
        guard (1...253).contains(text.utf8.count) else { return false }
        return text.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { label in
            (1...63).contains(label.utf8.count) && label.utf8.first != 0x2D && label.utf8.last != 0x2D
                && label.utf8.allSatisfy { $0.isLetter || $0.isDigit || $0 == 0x2D }
        }
    }
}
