internal import ClusterModel
internal import NodePlan
internal import TendrilCore

/// Judges one pool of a shoot.
struct PoolRules {
    /// Of a node's /24 the first address is its own and the last nobody's; a few are on their way from one pod to the next.
    private static let podsOfNode = 250

    private let pool: Shoot.Worker
    private let spec: Shoot.Spec
    private let path: String
    private var found: [ConfigurationProblem] = []

    /// Takes a pool, the shoot that it is of, and where it stands.
    init(_ pool: Shoot.Worker, of spec: Shoot.Spec, at path: String) {
        (self.pool, self.spec, self.path) = (pool, spec, path)
    }

    /// Everything that is wrong with it.
    ///
    /// - Parameters:
    ///   - isFirst: whether no pool before it has its name.
    ///   - images: the machine images that there are; `nil` where that is not known.
    /// - Returns: the problems, each with its field.
    func problems(isFirst: Bool, _ images: [MachineImage]?) -> [ConfigurationProblem] {
        var judged = self
        judged.judgeSize(isFirst: isFirst)
        if let images { judged.judgeImage(images) }
        judged.judgeLabels()
        judged.judgeTaints()
        judged.judgeKubelet()
        return judged.found
    }

    private mutating func check(_ holds: Bool, _ field: String, _ reason: String) {
        found.require(holds, "\(path).\(field)", reason)
    }

    private mutating func judgeSize(isFirst: Bool) {
        let isName = NodeName.isLabel(pool.name) && pool.name.utf8.count <= 15
        check(isName, "name", "is no label in lower case of at most 15 bytes")
        check(isFirst, "name", "\(pool.name) is there twice")
        check(pool.minimum >= 0, "minimum", "is negative")
        check(pool.minimum <= pool.maximum, "minimum", "\(pool.minimum) is more than the maximum \(pool.maximum)")
        check(spec.provider.type == .local || pool.machineType != nil, "machineType", "is missing")
    }

    private mutating func judgeImage(_ images: [MachineImage]) {
        let name = pool.image ?? MachineImage.fallback
        guard let image = images.named(name) else { return check(false, "image", "\(name) is not known") }
        let isAtHand = spec.provider.type != .aws || image.ami != nil
        check(isAtHand, "image", "\(name) has no ami, by which aws knows it")
        guard let releases = image.kubernetes else { return }
        let (isThere, carried) = (releases.contains(spec.kubernetes.version), releases.joined(separator: ", "))
        check(isThere, "image", "\(name) carries Kubernetes \(carried), not \(spec.kubernetes.version)")
    }

    private mutating func judgeLabels() {
        for (key, value) in pool.labels ?? [:] {
            let field = "labels[\(key)]"
            check(LabelRules.isKey(key), field, "is no label's key")
            check(LabelRules.isValue(value), field, "\"\(value)\" is no label's value")
            check(!Self.isReserved(key), field, "is set by Kubernetes or by us")
        }
    }

    private mutating func judgeTaints() {
        let effects = Node.Taint.effects
        var seen: Set<String> = []
        for (number, taint) in (pool.taints ?? []).enumerated() {
            let field = "taints[\(number)]"
            check(LabelRules.isKey(taint.key), "\(field).key", "is no taint's key")
            check(LabelRules.isValue(taint.value ?? ""), "\(field).value", "is no taint's value")
            let reason = "is none of \(effects.joined(separator: ", "))"
            check(effects.contains(taint.effect), "\(field).effect", reason)
            check(seen.insert(taint.mark).inserted, field, "\(taint.mark) is there twice")
        }
    }

    private mutating func judgeKubelet() {
        let most = spec.networking.type.isOurs ? Self.podsOfNode : 1000
        let reason = "is not 1 to \(most): with \(spec.networking.type.rawValue) a node has 256 addresses"
        let settings = pool.kubelet?.configuration
        if let pods = pool.kubelet?.maxPods {
            check((1...most).contains(pods), "kubelet.maxPods", "\(pods) \(reason)")
        }
        if let pods = settings?["maxPods"]?.number {
            check((1...most).contains(pods), "kubelet.configuration.maxPods", "\(pods) \(reason)")
        }
        check(settings?.isObject ?? true, "kubelet.configuration", "is no mapping")
        let gates = pool.kubelet?.featureGates ?? [:]
        found += FeatureGates.problems(gates.keys, at: "\(path).kubelet.featureGates")
        if case .object(let gates)? = settings?["featureGates"] {
            found += FeatureGates.problems(gates.keys, at: "\(path).kubelet.configuration.featureGates")
        }
    }

    /// Labels that a kubelet may not set (NodeRestriction), and our own.
    private static func isReserved(_ key: String) -> Bool {
        guard let slash = key.lastIndex(of: "/") else { return false }
        let domain = key[..<slash]
        return ["kubernetes.io", "k8s.io", TendrilAPI.group].contains { domain == $0 || domain.hasSuffix(".\($0)") }
            && !domain.hasPrefix("node.kubernetes.io") && domain != "kubelet.kubernetes.io"
    }
}
