package import ClusterModel
internal import NodePlan
package import TendrilCore

/// Judges what a schema cannot: how fields fit together, the seed, and what was there before.
package enum ShootRules {
    /// The newest minor release of Kubernetes that the tables of differences know.
    package static let newestMinor = 36

    /// Everything that is wrong with a shoot; none means that it can be reconciled.
    ///
    /// - Parameters:
    ///   - shoot: as it is wanted.
    ///   - seed: its seed, once it has one.
    ///   - images: the machine images that there are; `nil` where that is not known.
    /// - Returns: the problems, each with its field.
    package static func problems(
        _ shoot: Shoot,
        seed: Seed.Spec? = nil,
        images: [MachineImage]? = nil
    ) -> [ConfigurationProblem] {
        var problems = names(shoot) + networks(shoot.spec, seed) + pools(shoot.spec, images)
        problems += MaintenanceWindow.problems(shoot.spec) + provider(shoot.spec)
        problems += ControlPlaneRules.problems(shoot.spec)
        let version = shoot.spec.kubernetes.version
        let (replicas, lanes) = (shoot.spec.controlPlane.replicas, shoot.spec.vpn.lanes)
        problems.require(
            KubernetesVersion(version).map { $0.minor <= newestMinor } ?? false,
            "spec.kubernetes.version",
            "\(version) is no release from 1.20.0 to 1.\(newestMinor)"
        )
        let size = (try? CanonicalJSON.bytes(shoot.spec).count) ?? .max
        problems.require(size <= largestSpec, "spec", "has more than \(largestSpec >> 10) KiB")
        problems.require((1...5).contains(replicas), "spec.controlPlane.replicas", "\(replicas) is not 1 to 5")
        problems.require((1...16).contains(lanes), "spec.vpn.lanes", "\(lanes) is not 1 to 16")
        return problems
    }

    /// What is remembered of a shoot holds its spec, and has to fit into a ConfigMap (Kubernetes documentation: 1 MiB).
    private static let largestSpec = 256 << 10

    /// Everything that forbids a change.
    ///
    /// - Parameters:
    ///   - old: what was accepted last.
    ///   - new: what is wanted.
    ///   - finished: the release that control plane and nodes are known to run; `nil` where that is not known. Nodes that do not
    ///     follow must not be left behind by more than one minor release (Kubernetes documentation, "Version Skew Policy").
    /// - Returns: the problems, each with its field.
    package static func problems(
        changing old: Shoot.Spec,
        to new: Shoot.Spec,
        finished: String? = nil
    ) -> [ConfigurationProblem] {
        var problems: [ConfigurationProblem] = []
        func keep<Value: Equatable>(_ path: String, _ field: (Shoot.Spec) -> Value?) {
            if let before = field(old), field(new) != before {
                problems.add(path, "cannot be changed from \(before)")
            }
        }
        keep("spec.seedName", \.seedName)
        keep("spec.region", \.region)
        keep("spec.provider.type") { $0.provider.type }
        keep("spec.networking.pods") { $0.networking.pods }
        keep("spec.networking.services") { $0.networking.services }
        keep("spec.networking.nodes") { $0.networking.nodes }
        keep("spec.networking.type") { $0.networking.type }
        let releases = [old.kubernetes.version] + (finished.map { [$0] } ?? [])
        let upgrades = releases.map { upgrade(from: $0, to: new.kubernetes.version) }
        return problems + (upgrades.first { !$0.isEmpty } ?? [])
    }

    /// What forbids a change from what there is.
    ///
    /// - Parameters:
    ///   - shoot: as it is wanted.
    ///   - accepted: what was accepted last; `nil` where that is not known.
    ///   - made: what its provider has made; the status says it, too.
    /// - Returns: the problems, each with its field.
    package static func changes(
        to shoot: Shoot,
        since accepted: Shoot.Spec?,
        made: JSONValue? = nil
    ) -> [ConfigurationProblem] {
        let finished = shoot.status?.kubernetesVersion
        let forbidden = accepted.map { problems(changing: $0, to: shoot.spec, finished: finished) } ?? []
        guard shoot.spec.provider.type == .aws, let made = made ?? shoot.status?.infrastructure else {
            return forbidden
        }
        return forbidden + AWSInfrastructure.problems(changing: made, to: shoot.spec)
    }

    /// What forbids that a shoot is stored in the place of what is there.
    ///
    /// A change may come while an earlier one is under way: what is known then is that the shoot was accepted once. What a
    /// coordinator has refused of that earlier one is not forgiven.
    ///
    /// - Parameters:
    ///   - shoot: as it is to be.
    ///   - stored: as it is; `nil` for one that is new.
    ///   - judge: what is wrong with a shoot, and with its change from what was accepted last.
    /// - Returns: the problems.
    package static func problems(
        storing shoot: Shoot,
        over stored: Shoot?,
        judge: (_ shoot: Shoot, _ accepted: Shoot.Spec?) -> [ConfigurationProblem]
    ) -> [ConfigurationProblem] {
        let once = stored?.status?.observedGeneration == nil ? nil : stored
        let told = stored?.acceptedSpec == nil ? stored?.status?.lastErrors ?? [] : []
        func isRefused(_ problem: ConfigurationProblem) -> Bool {
            told.contains { $0.description.contains(problem.description) }
        }
        let found = judge(shoot, stored?.acceptedSpec)
        return found.filter(isRefused) + new(found.filter { !isRefused($0) }, of: shoot, since: once)
    }

    /// What is left of a shoot's problems without those that it had when it was accepted.
    ///
    /// A rule that is stricter than an earlier release's is one for what somebody changes; another value is another problem.
    ///
    /// - Parameters:
    ///   - problems: of the shoot as it is wanted.
    ///   - shoot: as it is wanted.
    ///   - accepted: the shoot as it was accepted; `nil` for one that never was.
    /// - Returns: those that are new.
    package static func new(
        _ problems: [ConfigurationProblem],
        of shoot: Shoot,
        since accepted: Shoot?
    ) -> [ConfigurationProblem] {
        guard !problems.isEmpty, let accepted else { return problems }
        return KnownProblems(accepted).others(problems, of: shoot)
    }

    /// What forbids that a seed takes a shoot over that another one hosts: its cluster would go on there, and be nobody's.
    package static func problems(hostedBy seed: String?, movedTo wanted: String) -> [ConfigurationProblem] {
        guard let seed, seed != wanted else { return [] }
        return [ConfigurationProblem("spec.seedName", "cannot be changed from \(seed), which hosts it")]
    }

    /// What forbids going from one release to another.
    package static func upgrade(from old: String, to new: String) -> [ConfigurationProblem] {
        guard let before = KubernetesVersion(old), let after = KubernetesVersion(new) else { return [] }
        let path = "spec.kubernetes.version"
        if after < before { return [ConfigurationProblem(path, "\(after) is older than \(before), which runs")] }
        if after.minor > before.minor + 1 {
            return [ConfigurationProblem(path, "\(after) skips a minor release: \(before) runs")]
        }
        return []
    }

    private static func provider(_ spec: Shoot.Spec) -> [ConfigurationProblem] {
        switch spec.provider.type {
        case .aws: return AWSInfrastructure.problems(spec)
        case .local:
            guard spec.provider.infrastructure != nil else { return [] }
            return [ConfigurationProblem("spec.provider.infrastructure", "is nothing that local machines have")]
        }
    }

    private static func names(_ shoot: Shoot) -> [ConfigurationProblem] {
        var problems: [ConfigurationProblem] = []
        for (path, text) in [("metadata.name", shoot.name), ("metadata.namespace", shoot.namespace)]
        where !TechnicalID.isPart(text) {
            problems.add(path, "\"\(text)\" is no label in lower case without two hyphens in a row")
        }
        guard problems.isEmpty else { return problems }
        problems.require(
            TechnicalID(project: shoot.namespace, name: shoot.name) != nil,
            "metadata.name",
            "is longer than \(TechnicalID.maximumBytes) bytes together with its namespace"
        )
        return problems
    }

    private static func networks(_ spec: Shoot.Spec, _ seed: Seed.Spec?) -> [ConfigurationProblem] {
        var rules = NetworkRules()
        // A node has a /24 of the pods' range (--node-cidr-mask-size), and kube-apiserver takes Services of a /12 at most.
        rules.add("spec.networking.pods", spec.networking.pods, from: 8, to: 24)
        rules.add("spec.networking.services", spec.networking.services, from: 12, to: 26)
        rules.add("spec.networking.nodes", spec.networking.nodes, from: 8, to: 28)
        let machines = spec.workers.reduce(0) { $0 &+ max(0, min($1.maximum, 1_000_000)) }
        rules.checkRoom("spec.networking.pods", spec.networking.pods, nodes: machines)
        if let seed {
            rules.compare(withSeed: "pods", seed.networks.pods)
            rules.compare(withSeed: "services", seed.networks.services)
            // Machines beside the seed's own share its network with it.
            if spec.provider.type != .local { rules.compare(withSeed: "nodes", seed.networks.nodes) }
        }
        return rules.problems
    }

    private static func pools(_ spec: Shoot.Spec, _ images: [MachineImage]?) -> [ConfigurationProblem] {
        var problems: [ConfigurationProblem] = []
        var seen: Set<String> = []
        problems.require(!spec.workers.isEmpty, "spec.workers", "is empty")
        for (index, pool) in spec.workers.enumerated() {
            let isFirst = seen.insert(pool.name).inserted
            problems += PoolRules(pool, of: spec, at: "spec.workers[\(index)]").problems(isFirst: isFirst, images)
        }
        return problems
    }
}
