package import ClusterModel

/// What a change of a shoot would do, before it is done.
package struct ShootPreview: Encodable, Sendable {
    /// What happens to the machines of a pool.
    package enum NodeEffect: String, Codable, Sendable {
        /// Kubelets restart, a few at a time; pods go on.
        case restart
        /// The link restarts, a node at a time; streams go on over the next connection.
        case relink
        /// Machines give way to new ones, one at a time.
        case replace
    }

    /// One consequence.
    package struct Consequence: Codable, Hashable, Sendable {
        /// `control-plane`, `pool worker`, `kube-system`.
        package let subject: String
        package let effect: String
        package let reason: String
        /// The names of the machines that it happens to, or those of which it happens to some; `nil` where they are not known, or
        /// where it happens to none.
        package var nodes: [String]?
    }

    /// The machines of a shoot by their pools, as far as somebody has seen them.
    package struct Machines: Sendable {
        private var all: [String: [String]] = [:]
        /// Those that do not say their class: they are never replaced.
        private var lasting: Set<String> = []

        /// Nothing is known of them.
        package static let unknown = Machines()

        private init() {}

        /// Takes nodes, and what machines say that are none yet.
        package init(_ nodes: [Node], _ bootstraps: [NodeBootstrap]) {
            let known = Set(nodes.map(\.name))
            let machines =
                nodes.map { ($0.pool, $0.name) }
                + bootstraps.filter { $0.isUnborn(beside: known) }.map { ($0.spec?.pool, $0.name) }
            for case (let pool?, let name) in machines { all[pool, default: []].append(name) }
            lasting = Set(nodes.filter { $0.machineClass == nil }.map(\.name))
        }

        /// The names of a pool's machines that an effect reaches, in their order.
        func names(_ pool: String, _ effect: NodeEffect? = nil) -> [String]? {
            let names = (all[pool] ?? []).filter { effect != .replace || !lasting.contains($0) }
            return names.isEmpty ? nil : names.sorted()
        }
    }

    package private(set) var consequences: [Consequence] = []
    private let machines: Machines

    private enum CodingKeys: String, CodingKey { case consequences }

    /// So many names stand in the lines of one consequence.
    private static let most = 20

    /// One line each, and below it the machines that it happens to.
    package var lines: [String] {
        guard !consequences.isEmpty else { return ["nothing would change"] }
        return consequences.flatMap { consequence in
            let line = "\(consequence.subject): \(consequence.effect) (\(consequence.reason))"
            guard let nodes = consequence.nodes else { return [line] }
            let rest = nodes.count > Self.most ? " and \(nodes.count - Self.most) more" : ""
            return [line, "  " + nodes.prefix(Self.most).joined(separator: ", ") + rest]
        }
    }

    /// Compares what there is with what is wanted.
    ///
    /// - Parameters:
    ///   - old: what there is; `nil` for nothing.
    ///   - new: what is wanted.
    ///   - machines: those that there are.
    package init(from old: Shoot.Spec?, to new: Shoot.Spec, machines: Machines = .unknown) {
        self.machines = machines
        compareInfrastructure(old, new)
        guard let old else {
            add("control-plane", "is made", "the shoot is new")
            for pool in new.workers { add("pool \(pool.name)", "\(machines: pool.minimum) start", "the pool is new") }
            return
        }
        if old.hibernation != new.hibernation {
            let isSleeping = new.hibernation.enabled
            add("control-plane", isSleeping ? "its pods end" : "its pods start", "spec.hibernation.enabled")
            let effect = isSleeping ? "its machines end" : "its machines start anew"
            add("every pool", effect, "spec.hibernation.enabled", isSleeping ? names(of: old.workers) : nil)
        }
        compareControlPlane(old, new)
        comparePools(old, new)
        if old.addons != new.addons { add("kube-system", "add-ons come or go", "spec.addons") }
    }

    private mutating func compareInfrastructure(_ old: Shoot.Spec?, _ new: Shoot.Spec) {
        let terraform = TerraformPreview(from: old, to: new)
        guard !terraform.actions.isEmpty else { return }
        for (address, action) in terraform.actions.sorted(by: { $0.key < $1.key }) {
            add("terraform", "\(action.rawValue) \(address)", "spec.workers and spec.provider")
        }
        add("terraform", terraform.summary, "all of it together")
    }

    private mutating func compareControlPlane(_ old: Shoot.Spec, _ new: Shoot.Spec) {
        if old.kubernetes != new.kubernetes {
            add("control-plane", "its pods roll, one after the other", "spec.kubernetes.version")
        } else {
            let (was, wanted) = (old.controlPlane, new.controlPlane)
            let plugins = [was, wanted].map { plane in
                [AdmissionPlugins.enabling(plane.admissionPlugins)] + AdmissionPlugins.disabling(plane.admissionPlugins)
            }
            let ofServer = [
                ("spec.vpn", old.vpn != new.vpn),
                ("spec.controlPlane.audit", AuditPolicy.document(was.audit) != AuditPolicy.document(wanted.audit)),
                ("spec.controlPlane.admissionPlugins", plugins[0] != plugins[1]),
                ("spec.controlPlane.oidc", was.oidc != wanted.oidc),
            ]
            for (field, isOther) in ofServer where isOther {
                add("control-plane", "the pods of kube-apiserver roll", field)
            }
            if FeatureGates.flags(was.featureGates) != FeatureGates.flags(wanted.featureGates) {
                add(
                    "control-plane",
                    "the pods of kube-apiserver roll, then those of the controllers",
                    "spec.controlPlane.featureGates"
                )
            }
        }
        if old.controlPlane.replicas != new.controlPlane.replicas {
            add(
                "control-plane",
                "\(new.controlPlane.replicas) of each stateless part run",
                "spec.controlPlane.replicas"
            )
        }
    }

    private mutating func comparePools(_ old: Shoot.Spec, _ new: Shoot.Spec) {
        let before = Dictionary(old.workers.map { ($0.name, $0) }) { $1 }
        let after = Set(new.workers.map(\.name))
        for pool in new.workers {
            guard let was = before[pool.name] else {
                add("pool \(pool.name)", "\(machines: pool.minimum) start", "the pool is new")
                continue
            }
            compare(was, pool, new.provider.type)
            if old.kubernetes != new.kubernetes { add(pool, .restart, "spec.kubernetes.version") }
            if old.vpn != new.vpn { add(pool, .relink, "spec.vpn") }
            if IdentityProvider.targets(old) != IdentityProvider.targets(new) {
                add(pool, .relink, "spec.controlPlane.oidc")
            }
        }
        for pool in old.workers where !after.contains(pool.name) {
            add("pool \(pool.name)", "its machines end", "the pool is gone", machines.names(pool.name))
        }
    }

    private mutating func compare(_ old: Shoot.Worker, _ new: Shoot.Worker, _ provider: Shoot.ProviderType) {
        compareBounds(old, new, provider)
        if old.machineType != new.machineType { add(new, .replace, "machineType") }
        if old.image != new.image { add(new, .replace, "image") }
        if old.kubelet != new.kubelet { add(new, .restart, "kubelet") }
        if old.labels != new.labels { add(new, .restart, "labels") }
        if old.taints != new.taints { add(new, .restart, "taints") }
        let evicting = (new.taints ?? []).filter { $0.effect == "NoExecute" && !(old.taints ?? []).contains($0) }
        guard !evicting.isEmpty else { return }
        let keys = evicting.map(\.key).joined(separator: ", ")
        add("pool \(new.name)", "pods that do not tolerate \(keys) are evicted", "taints", machines.names(new.name))
    }

    /// What ends where bounds shrink is the group's choice; AWS keeps what it has until there is too much of it.
    private mutating func compareBounds(_ old: Shoot.Worker, _ new: Shoot.Worker, _ provider: Shoot.ProviderType) {
        let (subject, nodes) = ("pool \(new.name)", machines.names(new.name))
        if old.minimum < new.minimum {
            add(subject, "\(machines: new.minimum - old.minimum) start", "minimum")
        } else if old.minimum > new.minimum, provider == .aws {
            add(subject, "its bound moves to \(new.minimum); no machine ends by that", "minimum")
        } else if old.minimum > new.minimum {
            let most = old.minimum - new.minimum
            add(subject, "the scaling group ends up to \(machines: most) of its choice", "minimum", nodes)
        }
        if old.maximum > new.maximum, provider == .aws {
            let effect = "the scaling group ends what it has beyond \(new.maximum), with the pods on it"
            add(subject, effect, "maximum", nodes)
        } else if old.maximum != new.maximum {
            add(subject, "its bound moves to \(new.maximum)", "maximum")
        }
    }

    private mutating func add(_ pool: Shoot.Worker, _ effect: NodeEffect, _ reason: String) {
        let text =
            switch effect {
            case .restart: "its kubelets restart within the budget, pods go on"
            case .relink: "tendril-vpn restarts on its nodes; streams go on"
            case .replace: "its machines are replaced, one at a time; their pods move within PodDisruptionBudgets"
            }
        add("pool \(pool.name)", text, reason, machines.names(pool.name, effect))
    }

    private func names(of pools: [Shoot.Worker]) -> [String]? {
        let names = pools.flatMap { machines.names($0.name) ?? [] }
        return names.isEmpty ? nil : names
    }

    private mutating func add(_ subject: String, _ effect: String, _ reason: String, _ nodes: [String]? = nil) {
        consequences.append(Consequence(subject: subject, effect: effect, reason: reason, nodes: nodes))
    }
}

extension DefaultStringInterpolation {
    /// A number of machines, in words that fit it.
    fileprivate mutating func appendInterpolation(machines count: Int) {
        appendInterpolation(count)
        appendLiteral(count == 1 ? " machine" : " machines")
    }
}
