package import ClusterModel
internal import TendrilCore

/// One machine of a shoot as people look at it: what its Node, its agent and its bootstrap say together.
package struct MachineLine: Codable, Hashable, Sendable {
    package let name: String
    package let pool: String?
    package let isReady: Bool
    package let kubeletVersion: String?
    /// The generation of its configuration that is in force on it.
    package let generation: Int?
    /// How long ago its agent was heard of, in seconds; `nil` where it never was.
    package let agentSilence: UInt64?
    /// What is wrong, in one line.
    package let problem: String?

    /// The agent renews its Lease every 15 s and may miss one; after this many seconds it counts as silent.
    private static let patience: UInt64 = 60

    /// All machines, by name, also those that have not become nodes.
    ///
    /// A machine that was a node, has none any more and is silent has ended: its record only waits for its removal.
    ///
    /// - Parameters:
    ///   - nodes: all nodes.
    ///   - bootstraps: what machines say of themselves.
    ///   - leases: those of kube-system, which agents renew.
    ///   - now: in seconds since 1970.
    /// - Returns: a line for each.
    package static func all(
        _ nodes: [Node],
        _ bootstraps: [NodeBootstrap],
        _ leases: [Lease],
        at now: UInt64
    ) -> [MachineLine] {
        let (nodes, bootstraps, leases) = (nodes.byName, bootstraps.byName, leases.byName)
        return Set(nodes.keys).union(bootstraps.keys).sorted().compactMap { name in
            let lease = leases[TendrilAPI.agentLease(machine: name)]
            let heard = lease?.spec?.renewTime.flatMap(KubernetesTime.seconds)
            let silence = heard.map { now > $0 ? now - $0 : 0 }
            let (node, bootstrap) = (nodes[name], bootstraps[name])
            let hasEnded = node == nil && bootstrap?.status?.phase == .done && (silence ?? .max) > patience
            return hasEnded ? nil : MachineLine(name, node, bootstrap, silence)
        }
    }

    /// A line for each pool that has fewer machines than it is to have at the least.
    ///
    /// - Parameters:
    ///   - shoot: as it is wanted; one that sleeps is to have no machines.
    ///   - lines: the machines that there are.
    /// - Returns: lines without a machine.
    package static func missing(_ shoot: Shoot, beside lines: [MachineLine]) -> [MachineLine] {
        guard !shoot.isHibernated else { return [] }
        return shoot.spec.workers.compactMap { pool in
            let count = lines.count { $0.pool == pool.name }
            return count < pool.minimum ? MachineLine(pool, has: count) : nil
        }
    }

    private init(_ pool: Shoot.Worker, has count: Int) {
        (name, self.pool, isReady) = ("-", pool.name, false)
        (kubeletVersion, generation, agentSilence) = (nil, nil, nil)
        problem = "\(count) of \(pool.minimum) machines have come"
    }

    private init(_ name: String, _ node: Node?, _ bootstrap: NodeBootstrap?, _ silence: UInt64?) {
        self.name = name
        pool = node?.pool ?? bootstrap?.spec?.pool
        isReady = node?.isReady ?? false
        kubeletVersion = node?.status?.nodeInfo?.kubeletVersion
        generation = node?.appliedGeneration
        agentSilence = silence
        problem = Self.problem(node, bootstrap, silence)
    }

    private static func problem(_ node: Node?, _ bootstrap: NodeBootstrap?, _ silence: UInt64?) -> String? {
        guard let node else {
            if bootstrap?.status?.phase == .done { return "its Node was deleted" }
            let phase = bootstrap?.status?.phase.rawValue ?? "no phase"
            return "not a node yet, \(phase)" + (bootstrap?.status?.error.map { ": \($0)" } ?? "")
        }
        let kubelet = node.condition("Ready").flatMap { $0.status == "True" ? nil : $0 }
        if let condition = kubelet ?? node.complaints.first {
            return condition.message ?? condition.reason ?? condition.type
        }
        if let silence, silence > patience { return "nothing is heard of its agent" }
        return nil
    }
}
