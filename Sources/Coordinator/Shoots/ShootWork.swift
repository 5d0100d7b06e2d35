package import ClusterModel
internal import FoundationEssentials
package import HTTPModel
package import KubernetesClient
internal import LinuxSystem
package import Logging
internal import NodePlan
package import ShootPlan
internal import TendrilCore

/// Everything that the tasks of one shoot work with.
package struct ShootWork: Sendable {
    /// The shoot as it is wanted.
    package let shoot: Shoot
    /// What follows from it.
    package private(set) var facts: ClusterFacts
    /// What the coordinator was told at its start.
    package let configuration: CoordinatorConfiguration
    /// Where people's objects are.
    package let garden: KubernetesClient
    /// Where the control plane runs.
    package let seed: KubernetesClient
    let transport: any HTTPTransport
    /// Whether this process may still change anything.
    let mayWrite: @Sendable () -> Bool
    let logger: Logger
    /// Whether a cloud is asked if all is as it was made, although nothing has changed.
    package var asksCloud = true
    /// Whether this process was told to end: what runs for long is not waited for then.
    package var isEnding: @Sendable () -> Bool = { EndSignal.hasCome }

    /// The Secret with the coordinator's own credentials for the shoot.
    static let ownCredentials = LeafName.coordinator.rawValue

    /// Takes a shoot and what is at hand for it.
    ///
    /// - Parameters:
    ///   - shoot: as it is wanted.
    ///   - facts: what follows from it.
    ///   - configuration: what the coordinator was told at its start.
    ///   - garden: where people's objects are.
    ///   - seed: where the control plane runs.
    ///   - transport: carries the requests to the shoot's API server.
    ///   - mayWrite: whether this process may still change anything.
    ///   - logger: hears what is done.
    package init(
        shoot: Shoot,
        facts: ClusterFacts,
        configuration: CoordinatorConfiguration,
        garden: KubernetesClient,
        seed: KubernetesClient,
        transport: any HTTPTransport,
        mayWrite: @escaping @Sendable () -> Bool,
        logger: Logger
    ) {
        (self.shoot, self.facts, self.configuration) = (shoot, facts, configuration)
        (self.garden, self.seed, self.transport) = (garden, seed, transport)
        (self.mayWrite, self.logger) = (mayWrite, logger)
    }

    /// The same for a shoot whose control plane stands still.
    var atRest: ShootWork {
        var copy = self
        copy.facts = facts.atRest
        return copy
    }

    /// The namespace in the seed.
    package var namespace: String { facts.id }

    /// Makes these objects in the seed what they are to be.
    func applyInSeed(_ objects: [JSONValue]) async throws {
        for object in objects { try await seed.serverSideApply(object, manager: Ownership.manager) }
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
        return KubernetesClient(try Kubeconfig(remote: bytes), transport: transport, program: Ownership.manager)
            .fenced(limit: Membership.requestLimit, mayWrite).wary()
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
