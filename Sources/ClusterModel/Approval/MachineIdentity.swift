/// The names by which a machine's programs are known.
package struct MachineIdentity: Hashable, Sendable {
    /// The cluster's technical ID.
    package let cluster: String
    /// The machine, which is the name of its Node.
    package let machine: String
    package let pool: String

    package init(cluster: String, machine: String, pool: String) {
        (self.cluster, self.machine, self.pool) = (cluster, machine, pool)
    }

    package static let userPrefix = "tendril:agent:"
    package static let group = "tendril:agents"

    /// The user that the API server takes the agent for.
    package var user: String { Self.userPrefix + machine }
    /// The agent's groups, in the order in which the certificate names them.
    package var groups: [String] { [Self.group, Self.group(pool: pool)] }
    /// The agent's URI name.
    package var agentURI: String { "spiffe://\(cluster)/agent/\(machine)" }
    /// The URI name of the machine's tunnel client.
    package var tunnelURI: String { "spiffe://\(cluster)/vpn/client/\(machine)" }

    /// What a kubelet's user begins with, as the Node authorizer wants it.
    package static let kubeletUserPrefix = "system:node:"
    package static let kubeletGroup = "system:nodes"

    /// The group of all agents of a pool.
    package static func group(pool: String) -> String { "\(group):\(pool)" }

    /// The machine that an agent's user stands for; `nil` for any other user.
    package static func machine(ofAgent user: String) -> String? { name(user, after: userPrefix) }

    /// The machine that a kubelet's user stands for; `nil` for any other user.
    package static func machine(ofKubelet user: String) -> String? { name(user, after: kubeletUserPrefix) }

    private static func name(_ user: String, after prefix: String) -> String? {
        guard user.hasPrefix(prefix) else { return nil }
        let name = String(user.dropFirst(prefix.count))
        return NodeName.isValid(name) ? name : nil
    }
}

/// Who signs what.
package enum Signer: String, CaseIterable, Sendable {
    /// The agents' client certificates; the coordinator signs them.
    case agent = "tendril.dev/agent"
    /// The tunnel clients' certificates; the coordinator signs them.
    case tunnelClient = "tendril.dev/vpn-client"
    /// Kubernetes' own signer of kubelets' client certificates.
    case kubeletClient = "kubernetes.io/kube-apiserver-client-kubelet"
    /// Kubernetes' own signer of kubelets' serving certificates.
    case kubeletServing = "kubernetes.io/kubelet-serving"

    /// The usages that a request has to name: exactly these, or with the second one also key encipherment, which
    /// kubelets before 1.27 ask for.
    package var usages: Set<String> {
        self == .kubeletServing ? ["digital signature", "server auth"] : ["digital signature", "client auth"]
    }

    /// Whether usages of a request are those.
    package func accepts(_ asked: [String]) -> Bool {
        let set = Set(asked)
        guard set.count == asked.count else { return false }
        return set == usages || (isKubelet && set == usages.union(["key encipherment"]))
    }

    package var isKubelet: Bool { self == .kubeletClient || self == .kubeletServing }
}
