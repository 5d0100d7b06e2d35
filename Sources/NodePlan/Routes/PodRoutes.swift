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
        let mine = nodes.first { $0.metadata.name == own }.flatMap(part)
        var routes: [IPPrefix: IPAddress] = [:]
        var claims: [IPPrefix] = []
        for node in nodes where node.metadata.name != own {
            guard let part = part(node), pods.contains(part), part != pods, let address = address(node, part.family),
                !pods.contains(address)
            else { continue }
            claims.append(part)
            routes[part] = address
        }
        return routes.filter { route in
            claims.count { $0.overlaps(route.key) } == 1 && !(mine?.overlaps(route.key) ?? false)
        }
    }

    private static func part(_ node: Node) -> IPPrefix? { node.spec?.podCIDR.flatMap { IPPrefix($0) } }

    private static func address(_ node: Node, _ family: IPAddress.Family) -> IPAddress? {
        (node.status?.addresses ?? []).filter { $0.type == "InternalIP" }.compactMap { IPAddress($0.address) }
            .first { $0.family == family }
    }
}
