internal import ClusterModel
internal import FoundationEssentials
internal import HTTPModel
internal import KubernetesClient
internal import Logging
internal import NodePlan
internal import ShootPlan
internal import TendrilCore

/// Everything that the tasks of one shoot work with.
struct ShootWork: Sendable {
    let shoot: Shoot
    let facts: ClusterFacts
    let configuration: CoordinatorConfiguration
    let garden: KubernetesClient
    let seed: KubernetesClient
    let transport: any HTTPTransport
    /// Whether this process may still change anything.
    let mayWrite: @Sendable () -> Bool
    let logger: Logger

    /// The Secret with the coordinator's own credentials for the shoot.
    static let ownCredentials = "tendril-coordinator"

    /// The namespace in the seed.
    var namespace: String { facts.id }

    /// Makes these objects in the seed what they are to be.
    func applyInSeed(_ objects: [JSONValue]) async throws {
        for object in objects { try await seed.serverSideApply(object, manager: Manager.name) }
    }

    /// Tells people, in the log and as an Event of the shoot.
    func tell(_ reason: String, _ message: String, isWarning: Bool = false) async {
        logger.notice("\(reason)", metadata: ["message": "\(message)"])
        await ShootEvents(garden: garden).tell(shoot, reason, message, isWarning: isWarning)
    }

    /// A Secret of the namespace in the seed.
    func secret(_ name: String) async throws -> KubernetesSecret {
        guard let secret = try await seed.find(KubernetesSecret.self, name, namespace: namespace) else {
            throw TaskFailure(.unknown, "the Secret \(namespace)/\(name) is gone")
        }
        return secret
    }

    /// A client of the shoot's API server, at its address within the seed.
    func shootClient() async throws -> KubernetesClient {
        let kubeconfig = try await secret(Self.ownCredentials)
        guard let bytes = kubeconfig[SecretKey.kubeconfig] else {
            throw TaskFailure(.unknown, "the Secret \(Self.ownCredentials) holds no kubeconfig")
        }
        let parsed = try Kubeconfig(bytes, directory: "")
        return KubernetesClient(
            servers: [parsed.server],
            security: parsed.security,
            transport: transport,
            agent: "tendril-coordinator/\(Version.text)"
        ).fenced(limit: Membership.requestLimit, mayWrite)
    }

    /// The image that a pool's machines start from.
    func image(of pool: Shoot.Worker) throws -> MachineImage {
        guard let image = configuration.machineImages.named(pool.image) else {
            throw TaskFailure(
                .configuration,
                "spec.workers: the image \(pool.image ?? MachineImage.fallback) is not known"
            )
        }
        return image
    }

    /// Of which class the machines of each pool are to be, by the pool's name; without pools whose image is not known.
    var machineClasses: [String: String] {
        var classes: [String: String] = [:]
        for pool in facts.spec.workers {
            guard let image = try? image(of: pool) else { continue }
            classes[pool.name] = MachineClass.of(pool, image)
        }
        return classes
    }

    /// Where the control plane is reached.
    func addresses(_ records: FlowRecords) throws -> ControlPlaneAddresses {
        try records.output(TaskName.services, as: ControlPlaneAddresses.self)
    }
}

/// The names of tasks, by which they are remembered.
enum TaskName {
    static let namespace = "namespace"
    static let services = "services"
    static let authorities = "authorities"
    static let certificates = "certificates"
    static let infrastructure = "infrastructure"
    static let etcd = "etcd"
    static let apiServer = "kube-apiserver"
    static let apiAnswers = "api-answers"
    static let controllers = "controllers"
    static let system = "system"
    static let nodeConfigurations = "node-configurations"
    static let machines = "machines"
    static let replacement = "machine-replacement"
    static let addons = "addons"
    static let access = "access"
    static let secrets = "secrets"
    static let nodesReady = "nodes-ready"
    static let systemReady = "system-ready"

    /// Those that wait for what ends when the shoot goes to sleep.
    static let awaited = [apiAnswers, nodesReady, systemReady]
}
