package import TendrilCore

extension IPAddress {
    /// Whether no stream ever leads to the address, whatever networks are configured: it names this very machine, its
    /// link, a group, or a cloud's metadata (RFC 6890; CVE-2020-8562 is what became of a check that was less).
    package var isNeverATarget: Bool {
        if !isRoutableUnicast || Self.metadata.contains(self) { return true }
        return translated?.isNeverATarget ?? false
    }

    /// The IPv4 address that an IPv6 address may be translated to: by the well-known prefix (RFC 6052, section 2.1), the
    /// local one (RFC 8215), or as an IPv4-translated address (RFC 7915).
    private var translated: IPAddress? {
        let isTranslated =
            bits >> 32 == UInt128(0x0064_FF9B) << 64 || bits >> 80 == 0x0064_FF9B_0001 || bits >> 32 == 0xFFFF_0000
        return family == .v6 && isTranslated ? IPAddress(v4: UInt32(truncatingIfNeeded: bits)) : nil
    }

    private static let metadata = ["fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "192.0.0.192"]
        .compactMap { IPAddress($0) }
}
