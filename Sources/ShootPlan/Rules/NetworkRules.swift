package import TendrilCore

/// Addresses that a shoot needs besides those that its owner names.
package enum ReservedNetwork {
    /// Where pods reach the API server on their own node (in RFC 5737's TEST-NET-1: nobody routes it).
    package static let apiServer = "192.0.2.100"

    /// Ranges that no network of a shoot may touch, with what they are for.
    static let all: [(prefix: String, purpose: String)] = [
        ("192.0.2.0/24", "the node-local address of the API server"), ("127.0.0.0/8", "loopback"),
        ("169.254.0.0/16", "link-local addresses"), ("224.0.0.0/4", "multicast"), ("240.0.0.0/4", "reserved"),
        ("0.0.0.0/8", "this network"), ("::1/128", "loopback"), ("fe80::/10", "link-local addresses"),
        ("ff00::/8", "multicast"),
    ]
}

extension IPPrefix {
    /// The address that lies this far into the network; `nil` where the network is smaller.
    package func address(at offset: UInt64) -> IPAddress? {
        let free = family.bitWidth - length
        guard free >= 64 || offset < 1 << UInt64(free) else { return nil }
        let shift = UInt128(128 - family.bitWidth)
        return IPAddress(family: family, bits: address.bits | UInt128(offset) << shift)
    }
}

/// Judges the address ranges of a shoot, or of a seed, against one another, and a shoot's against its seed's.
struct NetworkRules {
    private var named: [(path: String, prefix: IPPrefix)] = []
    private(set) var problems: [ConfigurationProblem] = []

    /// Takes a range of IPv4 whose prefix has from so many bits to so many.
    mutating func add(_ path: String, _ text: String, from shortest: Int, to longest: Int) {
        guard let prefix = read(path, text) else { return }
        guard prefix.family == .v4 else {
            problems.add(path, "\(text) is no network of IPv4")
            return
        }
        if prefix.length > longest {
            problems.add(path, "\(text) is smaller than a /\(longest)")
        }
        if prefix.length < shortest {
            problems.add(path, "\(text) is larger than a /\(shortest)")
        }
        for reserved in ReservedNetwork.all {
            if let other = IPPrefix(reserved.prefix), other.overlaps(prefix) {
                problems.add(path, "\(text) overlaps \(reserved.prefix), which is \(reserved.purpose)")
            }
        }
        keepApart(path, text, prefix)
    }

    /// Takes a range of either family and any size, which may share addresses with the range of one other field.
    mutating func add(_ path: String, _ text: String, besides shared: String? = nil) {
        if let prefix = read(path, text) { keepApart(path, text, prefix, besides: shared) }
    }

    private mutating func read(_ path: String, _ text: String) -> IPPrefix? {
        guard let prefix = IPPrefix(text) else {
            problems.add(path, "\(text) is no network, such as 10.0.0.0/16")
            return nil
        }
        return prefix
    }

    /// Compares with the ranges that were taken before, but for that of one field.
    private mutating func keepApart(_ path: String, _ text: String, _ prefix: IPPrefix, besides shared: String? = nil) {
        for other in named where other.prefix.overlaps(prefix) && other.path != shared {
            problems.add(path, "\(text) overlaps \(other.path), \(other.prefix)")
        }
        named.append((path, prefix))
    }

    /// Sees whether every node gets a part of the pods' range.
    mutating func checkRoom(_ path: String, _ text: String, nodes: Int) {
        guard let prefix = IPPrefix(text), prefix.family == .v4, prefix.length <= 24 else { return }
        let parts = 1 << (24 - prefix.length)
        guard nodes > parts else { return }
        problems.add(path, "\(text) has room for \(parts) nodes, and pools may have \(nodes)")
    }

    /// Compares with a range of the seed.
    ///
    /// Streams need no difference; nodes, though, reach their control plane in the seed by its addresses.
    mutating func compare(withSeed path: String, _ text: String) {
        guard let prefix = IPPrefix(text) else {
            problems.add("spec.seedName", "the seed's \(path), \(text), are no network")
            return
        }
        for own in named where own.prefix.overlaps(prefix) {
            problems.add(own.path, "\(own.prefix) overlaps the seed's \(path), \(prefix)")
        }
    }
}
