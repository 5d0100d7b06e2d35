package import ClusterModel
internal import HTTPModel
internal import KubernetesClient
package import ShootPlan
internal import TLSEngine
package import TendrilCore

/// Networks and scaling groups at AWS, by Terraform or OpenTofu.
package struct AWSProvider: InfrastructureProvider {
    /// The Secret beside the control plane with what the cloud believed the owner by last.
    private static let keptCredentials = "cloud-credentials"

    private let settings: CoordinatorConfiguration.Terraform

    /// Takes how Terraform is run.
    package init(settings: CoordinatorConfiguration.Terraform) { self.settings = settings }

    private var isSimulated: Bool { settings.endpoint != nil }

    /// Instances are called by their addresses: ip-10-250-0-7.
    package func namePrefix(_ cluster: String, pool: String) -> String { Self.prefix }

    private static let prefix = "ip-"

    private static func machine(at address: String) -> Machine {
        Machine(name: prefix + String(address.map { $0 == "." ? "-" : $0 }), addresses: [address])
    }

    package func inputs(_ work: ShootWork) throws -> JSONValue {
        try network(work, "").merging(["configuration": .string(Digest.hex(TerraformConfiguration.network))])
    }

    package var machinesConfiguration: String? { Digest.hex(TerraformConfiguration.machines) }

    package func prepare(_ work: ShootWork) async throws -> JSONValue {
        let made = try await terraform("network", work).apply(
            TerraformConfiguration.network,
            try network(work, try await identity(work))
        )
        guard AWSInfrastructure.isWhole(made) else {
            throw TaskFailure(.unknown, "terraform output network: names no subnets or no security group")
        }
        return made.merging(["zones": .array(try infrastructure(work).zones.map { .string($0) })])
    }

    package func scale(_ work: ShootWork, _ groups: [MachineGroup], _ infrastructure: JSONValue) async throws
        -> PresentMachines?
    {
        guard !groups.isEmpty else { return try await endAll(work) }
        guard AWSInfrastructure.isWhole(infrastructure) else {
            throw TaskFailure(.unknown, "there is no network for machines")
        }
        let made = try await terraform("machines", work).apply(
            TerraformConfiguration.machines,
            values(work, try await identity(work), try pools(groups), infrastructure)
        )
        return Self.present(made)
    }

    /// Ends all machines, also of a shoot without a network, where some may be there all the same.
    private func endAll(_ work: ShootWork) async throws -> PresentMachines? {
        // A shoot that never had machines is deleted also where its settings are wrong.
        guard try await Terraform.knows("machines", settings, work) else { return .names([]) }
        let pools = work.facts.spec.workers.map { ($0.name, TerraformConfiguration.pool($0, image: "", userData: "")) }
        let values = values(work, try await identity(work), Dictionary(pools) { first, _ in first }, [:])
        try await terraform("machines", work).destroy(TerraformConfiguration.machines, values)
        try await SurgeNotes(work).clear()
        return .names([])
    }

    private func pools(_ groups: [MachineGroup]) throws -> [String: JSONValue] {
        var pools: [String: JSONValue] = [:]
        for group in groups {
            guard let image = group.image.ami else {
                throw TaskFailure(.configuration, "the machine image \(group.image.name) has no ami")
            }
            pools[group.pool.name] = TerraformConfiguration.pool(
                group.pool,
                image: image,
                userData: group.userData.base64
            )
        }
        return pools
    }

    private static func present(_ made: JSONValue) -> PresentMachines? {
        made["addresses"].map { .addressed($0.items.compactMap(\.text).map(machine)) }
    }

    // MARK: - Single machines

    /// A look is a run of Terraform, and a machine needs a minute or two.
    package var pause: Nanoseconds { .seconds(10) }

    package func look(_ work: ShootWork, _ groups: [MachineGroup], _ infrastructure: JSONValue) async throws
        -> MachinesSeen
    {
        let values = values(work, try await identity(work), try pools(groups), infrastructure)
        let made = try await terraform("machines", work).apply(TerraformConfiguration.machines, values)
        guard let present = Self.present(made) else { throw TaskFailure(.unknown, "terraform: no addresses") }
        return MachinesSeen(
            present: present,
            desired: try made["desired"]?.decoded(as: [String: Int].self) ?? [:],
            instances: try made["instances"]?.decoded(as: [String: String].self) ?? [:],
            groups: try made["groups"]?.decoded(as: [String: String].self) ?? [:],
            machines: try made["machines"]?.decoded(as: [String: [String]].self).mapValues { $0.map(Self.machine) }
                ?? [:]
        )
    }

    package func grow(_ work: ShootWork, _ pool: Shoot.Worker, to count: Int, _ seen: MachinesSeen) async throws {
        guard let group = seen.groups[pool.name] else {
            throw TaskFailure(.unknown, "the pool \(pool.name) has no scaling group")
        }
        // Ahead of what is done: a number that the group never had is not taken back.
        try await SurgeNotes(work).write(count, for: pool)
        try await autoScaling(work).setDesiredCapacity(of: group, to: count)
    }

    /// Only what was noted is taken back: what else a group has beyond its minimum may be an autoscaler's.
    package func settle(_ work: ShootWork, _ pool: Shoot.Worker, _ look: () async throws -> MachinesSeen)
        async throws
    {
        let notes = SurgeNotes(work)
        guard let count = try await notes.read(pool) else { return }
        let seen = try await look()
        if let group = seen.groups[pool.name], seen.desired[pool.name] == count, count > pool.minimum {
            try await autoScaling(work).setDesiredCapacity(of: group, to: count - 1)
        }
        try await notes.write(nil, for: pool)
    }

    package func end(_ work: ShootWork, _ machine: Machine, of pool: Shoot.Worker, shrinks: Bool, _ seen: MachinesSeen)
        async throws
    {
        guard let instance = machine.addresses.lazy.compactMap({ seen.instances[$0] }).first else {
            // It has ended, and its Node does not say so yet.
            if !seen.instances.isEmpty { return }
            throw TaskFailure(.unknown, "the instances have no addresses")
        }
        try await autoScaling(work).terminate(instance, shrinks: shrinks)
        if shrinks { try await SurgeNotes(work).write(nil, for: pool) }
    }

    private func autoScaling(_ work: ShootWork) async throws -> AWSAutoScaling {
        let (keyID, key) = try await credentials(work)
        let region = work.facts.spec.region ?? ""
        return AWSAutoScaling(
            region: region,
            endpoint: settings.endpoint,
            credential: .awsSignature(region: region, service: "autoscaling", keyID: keyID, key: Secret(key.utf8)),
            transport: work.transport
        )
    }

    package func remove(_ work: ShootWork) async throws {
        guard try await Terraform.knows("network", settings, work) else { return }
        let values = try network(work, try await identity(work))
        try await terraform("network", work).destroy(TerraformConfiguration.network, values)
    }

    private func values(
        _ work: ShootWork,
        _ identity: String,
        _ pools: [String: JSONValue],
        _ infrastructure: JSONValue
    ) -> JSONValue {
        TerraformConfiguration.machines(
            work.facts,
            identity: identity,
            subnets: infrastructure["subnets"] ?? [],
            securityGroup: infrastructure["securityGroup"] ?? "",
            pools: pools,
            isSimulated: isSimulated
        )
    }

    private func network(_ work: ShootWork, _ identity: String) throws -> JSONValue {
        let own = try infrastructure(work)
        return TerraformConfiguration.network(
            work.facts,
            identity: identity,
            zones: own.zones,
            isSimulated: isSimulated
        )
    }

    /// What tells the shoot from one of the same name in another garden: its namespace in the seed comes first and goes last.
    private func identity(_ work: ShootWork) async throws -> String {
        let namespace = try await work.seed.document("/api/v1/namespaces/\(work.namespace)")
        guard let uid = namespace["metadata"]?["uid"]?.text else {
            throw TaskFailure(.unknown, "the namespace \(work.namespace) has no uid")
        }
        return uid
    }

    private func infrastructure(_ work: ShootWork) throws -> AWSInfrastructure {
        // What was accepted before a limit became stricter has to go on, and to go.
        let problems = AWSInfrastructure.problems(ofForm: work.facts.spec)
        guard problems.isEmpty, let given = work.facts.spec.provider.infrastructure else {
            throw ConfigurationError(problems)
        }
        return try given.decoded(as: AWSInfrastructure.self)
    }

    // MARK: - Credentials

    private typealias Credentials = (keyID: String, key: String)

    private static func pair(_ secret: KubernetesSecret?) -> Credentials? {
        guard let keyID = secret?.text("accessKeyID"), let key = secret?.text("secretAccessKey") else { return nil }
        return (keyID, key)
    }

    /// What the owner has now, only from the Shoot's own namespace, which he may read anyway.
    private func ownCredentials(_ work: ShootWork) async throws -> Credentials? {
        let name = try infrastructure(work).credentials
        return Self.pair(try await work.garden.find(KubernetesSecret.self, name, namespace: work.shoot.namespace))
    }

    private func lastCredentials(_ work: ShootWork) async throws -> Credentials? {
        Self.pair(try await SecretStore(seed: work.seed, namespace: work.namespace).read(Self.keptCredentials))
    }

    private func keep(_ credentials: Credentials, _ work: ShootWork) async throws {
        try await SecretStore(seed: work.seed, namespace: work.namespace).write(
            Self.keptCredentials,
            ["accessKeyID": Array(credentials.keyID.utf8), "secretAccessKey": Array(credentials.key.utf8)]
        )
    }

    package func keepCredentials(_ work: ShootWork, ahead prepare: @Sendable () async throws -> Void) async throws
        -> Bool
    {
        guard let own = try await ownCredentials(work) else { return false }
        if let kept = try await lastCredentials(work), kept == own { return false }
        try await prepare()
        try await keep(own, work)
        return true
    }

    private func credentials(_ work: ShootWork) async throws -> Credentials {
        if let own = try await ownCredentials(work) {
            // Another key than the one that is kept is for `keepCredentials` to find, until the shoot goes.
            if work.shoot.isBeingDeleted {
                try await keep(own, work)
            } else if try await lastCredentials(work) == nil {
                try await keep(own, work)
            }
            return own
        }
        // A project that is being deleted loses its Secrets before its shoots, and nobody can make them again there.
        if work.shoot.isBeingDeleted, let kept = try await lastCredentials(work) { return kept }
        let name = try infrastructure(work).credentials
        throw TaskFailure(
            .configuration,
            "spec.provider.infrastructure.credentials: the Secret \(name) holds no accessKeyID and secretAccessKey"
        )
    }

    private func terraform(_ name: String, _ work: ShootWork) async throws -> Terraform {
        let (keyID, key) = try await credentials(work)
        return Terraform(
            name: name,
            settings: settings,
            work: work,
            credentials: ["AWS_ACCESS_KEY_ID": keyID, "AWS_SECRET_ACCESS_KEY": key]
        )
    }
}
