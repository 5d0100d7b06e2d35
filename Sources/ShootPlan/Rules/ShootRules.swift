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
        if KubernetesVersion(shoot.spec.kubernetes.version).map({ $0.minor > newestMinor }) ?? true {
            problems.append(
                ConfigurationProblem(
                    "spec.kubernetes.version",
                    "\(shoot.spec.kubernetes.version) is no release from 1.20.0 to 1.\(newestMinor)"
                )
            )
        }
        if ((try? CanonicalJSON.bytes(shoot.spec).count) ?? .max) > Self.largestSpec {
            problems.append(ConfigurationProblem("spec", "has more than \(Self.largestSpec >> 10) KiB"))
        }
        if !(1...5).contains(shoot.spec.controlPlane.replicas) {
            let replicas = shoot.spec.controlPlane.replicas
            problems.append(ConfigurationProblem("spec.controlPlane.replicas", "\(replicas) is not 1 to 5"))
        }
        if !(1...16).contains(shoot.spec.vpn.lanes) {
            problems.append(ConfigurationProblem("spec.vpn.lanes", "\(shoot.spec.vpn.lanes) is not 1 to 16"))
        }
        return problems
    }

    /// Of a node's /24 the first address is its own and the last nobody's; a few are on their way from one pod to the next.
    private static let podsOfNode = 250

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
                problems.append(ConfigurationProblem(path, "cannot be changed from \(before)"))
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

    /// What forbids a change from what was accepted last; nothing where that is not known.
    package static func changes(to shoot: Shoot, since accepted: Shoot.Spec?) -> [ConfigurationProblem] {
        accepted.map { problems(changing: $0, to: shoot.spec, finished: shoot.status?.kubernetesVersion) } ?? []
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
            problems.append(
                ConfigurationProblem(path, "\"\(text)\" is no label in lower case without two hyphens in a row")
            )
        }
        if problems.isEmpty, TechnicalID(project: shoot.namespace, name: shoot.name) == nil {
            problems.append(
                ConfigurationProblem(
                    "metadata.name",
                    "is longer than \(TechnicalID.maximumBytes) bytes together with its namespace"
                )
            )
        }
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
        if spec.workers.isEmpty { problems.append(ConfigurationProblem("spec.workers", "is empty")) }
        for (index, pool) in spec.workers.enumerated() {
            let path = "spec.workers[\(index)]"
            func check(_ holds: Bool, _ field: String, _ reason: String) {
                if !holds { problems.append(ConfigurationProblem("\(path).\(field)", reason)) }
            }
            check(
                NodeName.isLabel(pool.name) && pool.name.utf8.count <= 15,
                "name",
                "is no label in lower case of at most 15 bytes"
            )
            check(seen.insert(pool.name).inserted, "name", "\(pool.name) is there twice")
            check(pool.minimum >= 0, "minimum", "is negative")
            check(pool.minimum <= pool.maximum, "minimum", "\(pool.minimum) is more than the maximum \(pool.maximum)")
            check(spec.provider.type == .local || pool.machineType != nil, "machineType", "is missing")
            if let images {
                let name = pool.image ?? MachineImage.fallback
                let image = images.named(name)
                check(image != nil, "image", "\(name) is not known")
                let isAtHand = image.map { spec.provider.type != .aws || $0.ami != nil } ?? true
                check(isAtHand, "image", "\(name) has no ami, by which aws knows it")
                if let releases = image?.kubernetes {
                    let isThere = releases.contains(spec.kubernetes.version)
                    let carried = releases.joined(separator: ", ")
                    check(isThere, "image", "\(name) carries Kubernetes \(carried), not \(spec.kubernetes.version)")
                }
            }
            for (key, value) in pool.labels ?? [:] {
                let field = "labels[\(key)]"
                check(LabelRules.isKey(key), field, "is no label's key")
                check(LabelRules.isValue(value), field, "\"\(value)\" is no label's value")
                check(!isReserved(key), field, "is set by Kubernetes or by us")
            }
            for (number, taint) in (pool.taints ?? []).enumerated() {
                let field = "taints[\(number)]"
                check(LabelRules.isKey(taint.key), "\(field).key", "is no taint's key")
                check(LabelRules.isValue(taint.value ?? ""), "\(field).value", "is no taint's value")
                check(
                    ["NoSchedule", "PreferNoSchedule", "NoExecute"].contains(taint.effect),
                    "\(field).effect",
                    "is none of NoSchedule, PreferNoSchedule, NoExecute"
                )
            }
            let most = spec.networking.type.isOurs ? Self.podsOfNode : 1000
            let reason = "is not 1 to \(most): with \(spec.networking.type.rawValue) a node has 256 addresses"
            if let pods = pool.kubelet?.maxPods {
                check((1...most).contains(pods), "kubelet.maxPods", "\(pods) \(reason)")
            }
            if let pods = pool.kubelet?.configuration?["maxPods"]?.number {
                check((1...most).contains(pods), "kubelet.configuration.maxPods", "\(pods) \(reason)")
            }
            check(pool.kubelet?.configuration?.isObject ?? true, "kubelet.configuration", "is no mapping")
            let gates = pool.kubelet?.featureGates ?? [:]
            problems += FeatureGates.problems(gates.keys, at: "\(path).kubelet.featureGates")
            if case .object(let gates)? = pool.kubelet?.configuration?["featureGates"] {
                problems += FeatureGates.problems(gates.keys, at: "\(path).kubelet.configuration.featureGates")
            }
        }
        return problems
    }

    /// Labels that a kubelet may not set (NodeRestriction), and our own.
    private static func isReserved(_ key: String) -> Bool {
        guard let slash = key.lastIndex(of: "/") else { return false }
        let domain = key[..<slash]
        return ["kubernetes.io", "k8s.io", TendrilAPI.group].contains { domain == $0 || domain.hasSuffix(".\($0)") }
            && !domain.hasPrefix("node.kubernetes.io") && domain != "kubelet.kubernetes.io"
    }
}
