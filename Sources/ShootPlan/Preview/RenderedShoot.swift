import ClusterModel
import NodePlan
import TendrilCore

/// A shoot as it is rendered where nothing is known of its seed, its images and its credentials.
///
/// What differs between two of them follows from what their owner says, and from nothing else.
struct RenderedShoot {
    /// Where pods run.
    enum Place: String {
        case controlPlane = "control-plane"
        case kubeSystem = "kube-system"
    }

    let shoot: Shoot
    private let facts: ClusterFacts

    /// Takes a shoot.
    ///
    /// - Throws: `ConfigurationError` where it cannot be rendered.
    init(_ shoot: Shoot) throws {
        let facts = ClusterFacts(
            shoot,
            images: ImageSource(kubernetes: "kubernetes", tendril: "tendril"),
            seed: try Self.seed,
            seedVersion: KubernetesVersion(minor: 20)
        )
        guard let facts else { throw ConfigurationError(ShootRules.problems(shoot)) }
        (self.shoot, self.facts) = (shoot, facts)
    }

    /// The same with another spec.
    func with(_ spec: Shoot.Spec) throws -> RenderedShoot {
        var shoot = shoot
        shoot.spec = spec
        return try RenderedShoot(shoot)
    }

    /// What runs as pods, in the order in which it is changed.
    func pods(in place: Place) throws -> [PodPart] {
        let objects: [JSONValue]
        switch place {
        case .controlPlane:
            objects =
                ControlPlane.etcd(facts, digests: [:])
                + (try ControlPlane.apiServer(facts, Self.addresses, digests: [:]))
                + ControlPlane.controllers(facts, digests: [:])
        case .kubeSystem:
            objects = try Addons.all(facts, kubeProxy: [:], kubeconfig: "", digest: "").flatMap(\.objects)
        }
        return objects.compactMap { PodPart($0) }
    }

    /// What the machines of a pool are told, of which the image's name is known.
    func machine(_ pool: Shoot.Worker) throws -> NodeConfiguration {
        try NodeRendering.configuration(
            facts,
            pool: pool,
            image: MachineImage(name: pool.image ?? MachineImage.fallback, program: .init(baked: true)),
            addresses: Self.addresses,
            trust: NodeTrust(),
            generation: 1
        )
    }

    private static var seed: Seed.Spec {
        get throws {
            let spec: JSONValue = [
                "networks": ["pods": "", "services": "", "nodes": ""], "exposure": ["type": "LoadBalancer"],
                "capacity": 1, "unschedulable": false,
            ]
            return try spec.decoded(as: Seed.Spec.self)
        }
    }

    private static let addresses = ControlPlaneAddresses(
        etcd: "etcd",
        apiServer: "api",
        frontDoor: .init(host: "door", port: 443),
        link: .init(host: "link", port: 8132)
    )
}

/// A shoot as it is, and as it is wanted.
struct ShootChange {
    let before: RenderedShoot
    let after: RenderedShoot
    let fields: FieldChanges<Shoot.Spec>

    /// Renders both.
    ///
    /// - Throws: `ConfigurationError` where one of them cannot be rendered.
    init(from old: Shoot, to new: Shoot) throws {
        (before, after) = (try RenderedShoot(old), try RenderedShoot(new))
        fields = try FieldChanges(from: old.spec, to: new.spec, at: ["spec"])
    }

    var old: Shoot { before.shoot }
    var new: Shoot { after.shoot }

    /// The fields that make something of what is rendered another one; `nil` where none do.
    func reason<Value: Equatable>(_ part: (RenderedShoot) throws -> Value) throws -> String? {
        let was = try part(before)
        return try fields.reason { try part(try before.with($0)) != was }
    }
}
