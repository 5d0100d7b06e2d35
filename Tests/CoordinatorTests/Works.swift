import ClusterModel
import Coordinator
import FoundationEssentials
import KubernetesClient
import Logging
import NodePlan
import ShootPlan
import ShootSamples
import TendrilCore

/// What a coordinator works with, on an API server in memory that is garden and seed.
enum Works {
    static let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    static let seedVersion = KubernetesVersion(minor: 33)

    static func configuration(_ more: JSONValue = [:]) throws -> CoordinatorConfiguration {
        let least: JSONValue = [
            "apiVersion": .string(CoordinatorConfiguration.apiVersion),
            "kind": .string(CoordinatorConfiguration.kind), "seed": "here",
            "images": ["kubernetes": "registry.k8s.io", "tendril": "ghcr.io/tendril", "missing": []],
            "machineImages": [],
        ]
        return try least.merging(more).decoded(as: CoordinatorConfiguration.self)
    }

    /// What other tasks come after, done by saying so.
    static var beginnings: [ShootTask] {
        [TaskName.namespace, TaskName.services].map { name in
            ShootTask(name: name, title: name, after: [], inputs: { _ in [:] }, perform: { _ in output(name) })
        }
    }

    static func output(_ name: String) -> JSONValue {
        name == TaskName.services ? (try? CanonicalJSON.value(Samples.addresses)) ?? [:] : [:]
    }

    static func environment(_ api: some TestAPI) throws -> CoordinatorEnvironment {
        CoordinatorEnvironment(
            configuration: try configuration(),
            garden: api.client,
            seed: api.client,
            seedVersion: seedVersion,
            transport: api,
            peers: Peers(client: api.client, seed: "here", namespace: "tendril-system", place: "a", logger: silent),
            logger: silent,
            slots: Slots(2),
            counts: CoordinatorCounts(),
            places: SeedPlaces("here")
        )
    }

    static func work(
        _ api: MemoryAPI,
        _ configuration: CoordinatorConfiguration,
        seed: KubernetesClient? = nil,
        garden: KubernetesClient? = nil,
        hostedBy host: Seed.Spec? = nil,
        _ change: (inout Shoot) -> Void = { _ in }
    ) throws -> ShootWork {
        let shoot = try Samples.shoot(change)
        let facts = ClusterFacts(
            shoot,
            images: configuration.images,
            seed: try host ?? Samples.seed,
            seedVersion: seedVersion
        )
        return ShootWork(
            shoot: shoot,
            facts: try facts.orFail("no facts"),
            configuration: configuration,
            garden: garden ?? api.client,
            seed: seed ?? api.client,
            transport: api,
            mayWrite: { true },
            logger: silent
        )
    }
}

extension Optional {
    fileprivate func orFail(_ reason: String) throws -> Wrapped {
        guard let self else { throw TaskFailure(.unknown, reason) }
        return self
    }
}
