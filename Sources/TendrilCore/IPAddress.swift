/// An IPv4 or IPv6 address as a value of 128 bits.
public struct IPAddress: Hashable, Sendable {
    /// The address family.
    public enum Family: UInt8, Sendable, CaseIterable {
        case v4 = 4
        case v6 = 6

        /// The length of an address in bits: 32 or 128.
        public var bitWidth: Int { self == .v4 ? 32 : 128 }

        /// The length of an address in bytes: 4 or 16.
        public var byteCount: Int { bitWidth / 8 }
    }

    /// The address family.
    public let family: Family
    /// The address, left-aligned: an IPv4 address stands in the upper 32 bits.
    public let bits: UInt128

    /// Makes an address from left-aligned bits; bits past the family's width are cleared.
    @inlinable
    public init(family: Family, bits: UInt128) {
        self.family = family
        self.bits = family == .v4 ? bits & (UInt128(UInt32.max) << 96) : bits
    }

    /// Makes an IPv4 address from its 32 bits in host order.
    @inlinable
    public init(v4 value: UInt32) {
        self.family = .v4
        self.bits = UInt128(value) << 96
    }

    /// Makes an IPv6 address from its halves in host order.
    @inlinable
    public init(v6High high: UInt64, low: UInt64) {
        self.family = .v6
        self.bits = UInt128(high) << 64 | UInt128(low)
    }

    /// Parses text: dotted quad without leading zeros, or RFC 4291 section 2.2 without a zone.
    public init?(_ text: some StringProtocol) {
        if text.utf8.contains(UInt8(ascii: ":")) {
            guard let groups = Self.groups(of: text) else { return nil }
            self.init(family: .v6, bits: groups.reduce(0) { $0 << 16 | UInt128($1) })
        } else {
            guard let value = Self.quad(of: text) else { return nil }
            self.init(v4: value)
        }
    }

    /// Makes an address from 4 or 16 bytes in network order.
    public init?(bytes: some Collection<UInt8>) {
        switch bytes.count {
        case 4: self.init(v4: bytes.reduce(0) { $0 << 8 | UInt32($1) })
        case 16: self.init(family: .v6, bits: bytes.reduce(0) { $0 << 8 | UInt128($1) })
        default: return nil
        }
    }

    /// The address in network order.
    public var bytes: [UInt8] {
        (0..<family.byteCount).map { UInt8(truncatingIfNeeded: bits >> UInt128(120 - 8 * $0)) }
    }

    private static func quad(of text: some StringProtocol) -> UInt32? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var value: UInt32 = 0
        for part in parts {
            let digits = part.utf8
            guard (1...3).contains(digits.count), digits.allSatisfy(\.isDigit),
                digits.count == 1 || digits.first != 0x30, let octet = UInt8(part)
            else { return nil }
            value = value << 8 | UInt32(octet)
        }
        return value
    }

    private static func groups(of text: some StringProtocol) -> [UInt16]? {
        let halves = splitAtDoubleColon(text)
        guard let halves, let head = parseGroups(halves.head) else { return nil }
        guard let tailText = halves.tail else { return head.count == 8 ? head : nil }
        guard let tail = parseGroups(tailText), head.count + tail.count <= 7 else { return nil }
        return head + Array(repeating: 0, count: 8 - head.count - tail.count) + tail
    }

    private static func splitAtDoubleColon(_ text: some StringProtocol) -> (head: String, tail: String?)? {
        let bytes = Array(text.utf8)
        let marks = bytes.indices.dropLast().filter { bytes[$0] == 0x3A && bytes[$0 + 1] == 0x3A }
        guard marks.count <= 1 else { return nil }
        guard let mark = marks.first else { return (String(text), nil) }
        return (String(decoding: bytes[..<mark], as: UTF8.self), String(decoding: bytes[(mark + 2)...], as: UTF8.self))
    }

    /// Parses colon-separated groups, the last of which may be a dotted quad.
    private static func parseGroups(_ text: String) -> [UInt16]? {
        if text.isEmpty { return [] }
        var groups: [UInt16] = []
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        for (index, part) in parts.enumerated() {
            if part.utf8.contains(UInt8(ascii: ".")) {
                guard index == parts.count - 1, let value = quad(of: part) else { return nil }
                groups += [UInt16(value >> 16), UInt16(truncatingIfNeeded: value)]
            } else {
                guard (1...4).contains(part.utf8.count), part.utf8.first != UInt8(ascii: "+"),
                    let group = UInt16(part, radix: 16)
                else { return nil }
                groups.append(group)
            }
        }
        return groups.count <= 8 ? groups : nil
    }
}

extension IPAddress: CustomStringConvertible {
    /// The canonical text: dotted quad, or RFC 5952 for IPv6.
    public var description: String {
        switch family {
        case .v4: bytes.map(String.init).joined(separator: ".")
        case .v6: Self.compressed((0..<8).map { UInt16(truncatingIfNeeded: bits >> UInt128(112 - 16 * $0)) })
        }
    }

    private static func compressed(_ groups: [UInt16]) -> String {
        var best = 0..<0
        var index = 0
        while index < groups.count {
            var end = index
            while end < groups.count, groups[end] == 0 { end += 1 }
            if end - index > best.count { best = index..<end }
            index = max(end, index + 1)
        }
        let text = { (part: ArraySlice<UInt16>) in part.map { String($0, radix: 16) }.joined(separator: ":") }
        guard best.count >= 2 else { return text(groups[...]) }
        return text(groups[..<best.lowerBound]) + "::" + text(groups[best.upperBound...])
    }
}

extension IPAddress {
    /// Whether a unicast packet may carry this address at all: not unspecified, loopback, link-local, multicast,
    /// broadcast, reserved or IPv4-mapped.
    @inlinable
    public var isRoutableUnicast: Bool {
        switch family {
        case .v4:
            let value = UInt32(truncatingIfNeeded: bits >> 96)
            let first = value >> 24
            return first != 0 && first != 127 && value >> 16 != 0xA9FE && first < 224
        case .v6:
            let high = UInt64(truncatingIfNeeded: bits >> 64)
            let low = UInt64(truncatingIfNeeded: bits)
            if high >> 56 == 0xFF || high >> 54 == 0x3FA { return false }
            // ::/96 and ::ffff:0:0/96 hold the unspecified, loopback, compatible and mapped addresses.
            return !(high == 0 && (low >> 32 == 0 || low >> 32 == 0xFFFF))
        }
    }
}
