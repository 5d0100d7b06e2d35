package import ClusterModel
package import NodePlan
internal import TendrilCore

/// What the nodes of a shoot look like beside its pools.
package struct NodesReport: Hashable, Sendable {
    /// How many nodes are ready.
    package let ready: Int
    /// Why not all is well, in one line; `nil` where it is.
    package let problem: String?
    /// How many nodes and machines are not as they are wanted.
    package let lagging: Int
    /// Whether a node has applied more than is known to have been published: what is known comes from an earlier day, and
    /// everything has to be done again.
    package let isAhead: Bool

    /// What agents say is wrong on nodes that are ready all the same, in one line; `nil` where nothing is.
    package let ailment: String?

    /// Judges nodes and machines.
    ///
    /// - Parameters:
    ///   - nodes: all nodes of the shoot.
    ///   - bootstraps: what machines say of themselves before they are nodes.
    ///   - pools: the pools that are wanted.
    ///   - generations: what each pool's machines are to be, by the pool's name.
    ///   - classes: of which class each pool's machines are to be; those of another leave new generations alone until
    ///     they are replaced.
    ///   - release: what their kubelets are to be of; patches may differ. `nil` for any.
    package init(
        _ nodes: [Node],
        _ bootstraps: [NodeBootstrap],
        _ pools: [Shoot.Worker],
        generations: [String: Int],
        classes: [String: String] = [:],
        release: KubernetesVersion? = nil
    ) {
        func judge(_ node: Node) -> String? {
            let isOutdated = node.pool.flatMap { classes[$0] }.map(node.isOutdated(wanted:)) ?? false
            return Self.problem(node, isOutdated ? [:] : generations, release)
        }
        ready = nodes.count { $0.isReady }
        isAhead = nodes.contains { Self.progress($0, generations).map { $0.applied > $0.wanted } ?? false }
        let all =
            nodes.compactMap(judge) + Self.strangers(nodes, bootstraps)
            + pools.compactMap { Self.problem($0, nodes) }
        (problem, lagging) = (Self.line(all), all.count)
        ailment = Self.line(nodes.compactMap(Self.ailment))
    }

    private static func line(_ problems: [String]) -> String? {
        problems.isEmpty ? nil : problems.sorted().prefix(5).joined(separator: "; ")
    }

    private static func ailment(_ node: Node) -> String? {
        node.complaints.first.map { "node \(node.name): \($0.message ?? $0.reason ?? $0.type)" }
    }

    private static func problem(_ node: Node, _ generations: [String: Int], _ release: KubernetesVersion?) -> String? {
        let name = node.name
        guard node.isReady else { return "node \(name) is not ready" }
        guard let pool = node.pool, generations[pool] != nil else { return nil }
        guard let (applied, wanted) = progress(node, generations) else {
            return "node \(name) has applied no generation yet"
        }
        guard applied >= wanted else { return "node \(name) has applied generation \(applied) of \(wanted)" }
        // What an image calls its kubelet is believed only once that says the same.
        guard let release, let runs = node.status?.nodeInfo?.kubeletVersion.flatMap({ KubernetesVersion($0) }),
            runs.minor != release.minor
        else { return nil }
        return "node \(name) runs kubelet \(runs), and \(release) is wanted: its image has another one at that path"
    }

    /// The generation that a node has applied beside the newest one of its pool.
    private static func progress(_ node: Node, _ generations: [String: Int]) -> (applied: Int, wanted: Int)? {
        guard let pool = node.pool, let wanted = generations[pool], let applied = node.appliedGeneration else {
            return nil
        }
        return (applied, wanted)
    }

    /// Machines that never became nodes say themselves why.
    private static func strangers(_ nodes: [Node], _ bootstraps: [NodeBootstrap]) -> [String] {
        let known = Set(nodes.map(\.name))
        return bootstraps.compactMap { bootstrap in
            guard let name = bootstrap.metadata.name, !known.contains(name), let status = bootstrap.status,
                let error = status.error
            else { return nil }
            return "machine \(name), \(status.phase.rawValue): \(error)"
        }
    }

    private static func problem(_ pool: Shoot.Worker, _ nodes: [Node]) -> String? {
        let there = nodes.count { $0.pool == pool.name }
        return there < pool.minimum ? "pool \(pool.name): \(there) of \(pool.minimum) nodes" : nil
    }
}
