package import TendrilCore

/// Which addresses and networks are a Node's own, as far as it is believed.
package enum NodeNetworks {
    /// More than this is not taken from one Node.
    private static let most = 16

    /// What a Node says that it has: its addresses, and its part of the pods' range.
    ///
    /// - Parameters:
    ///   - node: may be anybody's word: a kubelet writes its Node's status.
    ///   - cluster: the cluster's networks; nothing outside of them is believed, nor that one node has all of one.
    /// - Returns: in the order in which the Node says it.
    package static func claimed(by node: Node, within cluster: [IPPrefix]) -> [IPPrefix] {
        let parts = node.spec?.podCIDRs ?? [node.spec?.podCIDR].compactMap { $0 }
        let addresses = (node.status?.addresses ?? []).filter { ["InternalIP", "ExternalIP"].contains($0.type) }
        let all =
            parts.compactMap { IPPrefix($0) }
            + addresses.compactMap { IPAddress($0.address).map(IPPrefix.init(host:)) }
        return Array(all.filter { own in cluster.contains { $0.contains(own) && $0 != own } }.prefix(most))
    }

    /// Leaves each owner what nobody else claims a part of.
    ///
    /// - Parameter claims: what each owner claims.
    /// - Returns: the same owners.
    package static func undisputed<Owner: Hashable>(_ claims: [Owner: [IPPrefix]]) -> [Owner: [IPPrefix]] {
        // In this order a network stands right before all that lie in it.
        let sorted = claims.flatMap { owner, networks in networks.map { (owner: owner, network: $0) } }
            .sorted { $0.network.order < $1.network.order }
        var disputed: Set<IPPrefix> = []
        for (index, claim) in sorted.enumerated() {
            for other in sorted[(index + 1)...] {
                guard claim.network.overlaps(other.network) else { break }
                guard claim.owner != other.owner else { continue }
                disputed.formUnion([claim.network, other.network])
            }
        }
        return claims.mapValues { $0.filter { !disputed.contains($0) } }
    }
}

extension IPPrefix {
    /// One family before the other, by the first address, the wider before the narrower.
    fileprivate var order: (UInt8, UInt128, Int) { (family.rawValue, address.bits, length) }
}
