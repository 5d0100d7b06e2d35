package import TendrilCore

extension IPAddress {
    /// Whether no stream ever leads to the address, whatever networks are configured: it names this very machine, its
    /// link, a group, or a cloud's metadata (RFC 6890; CVE-2020-8562 is what became of a check that was less).
    package var isNeverATarget: Bool {
        if !isRoutableUnicast || Self.metadata.contains(self) { return true }
        return translated?.isNeverATarget ?? false
    }

    /// The IPv4 address that an IPv6 address is translated to (RFC 6052, section 2.1).
    private var translated: IPAddress? {
        guard family == .v6, bits >> 32 == UInt128(0x0064_FF9B) << 64 else { return nil }
        return IPAddress(v4: UInt32(truncatingIfNeeded: bits))
    }

    private static let metadata = ["fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "192.0.0.192"]
        .compactMap { IPAddress($0) }
}
