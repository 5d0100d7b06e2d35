package import ClusterModel
package import TendrilCore

/// Which way a node sends packets for the pods of every other node, where all nodes see one another.
package enum PodRoutes {
    /// The routes that a node needs.
    ///
    /// - Parameters:
    ///   - nodes: all nodes of the cluster.
    ///   - own: the name of this one.
    ///   - pods: the range of all pods: a node is not believed to have anything outside of it.
    /// - Returns: the address of each other node by its part of the range; a part that two nodes claim is nobody's.
    package static func wanted(_ nodes: [Node], own: String, pods: IPPrefix) -> [IPPrefix: IPAddress] {
        var claims: [String: [IPPrefix]] = [:]
        var gateways: [String: IPAddress] = [:]
        for node in nodes {
            guard let name = node.metadata.name, let part = part(node) else { continue }
            if name != own {
                guard pods.contains(part), part != pods, let address = address(node, part.family),
                    !pods.contains(address)
                else { continue }
                gateways[name] = address
            }
            claims[name] = [part]
        }
        var routes: [IPPrefix: IPAddress] = [:]
        for (name, parts) in NodeNetworks.undisputed(claims) {
            for part in parts { routes[part] = gateways[name] }
        }
        return routes
    }

    /// The address of a node within the pods' range: the lowest of its part, which no pod gets.
    ///
    /// - Parameters:
    ///   - nodes: all nodes of the cluster.
    ///   - own: the name of this one.
    ///   - pods: the range of all pods.
    /// - Returns: `nil` where it has no part yet.
    package static func ownAddress(_ nodes: [Node], own: String, pods: IPPrefix) -> IPAddress? {
        nodes.first { $0.name == own }.flatMap(part).flatMap { pods.contains($0) ? $0.address : nil }
    }

    private static func part(_ node: Node) -> IPPrefix? { node.spec?.podCIDR.flatMap { IPPrefix($0) } }

    private static func address(_ node: Node, _ family: IPAddress.Family) -> IPAddress? {
        (node.status?.addresses ?? []).filter { $0.type == "InternalIP" }.compactMap { IPAddress($0.address) }
            .first { $0.family == family }
    }
}
