internal import ClusterModel
internal import FoundationEssentials
internal import KubernetesClient
internal import LinuxSystem
internal import Logging
internal import NodePlan
internal import ShootPlan
internal import TLSEngine
internal import TendrilCore

/// The machines of every pool, by groups that the provider scales.
enum MachinesTask {
    struct Output: Codable, Sendable {
        /// The user data's digest and the number of machines, by pool.
        var pools: [String: String]
        /// When the first token has to be replaced, in seconds since 1970.
        var renewal: UInt64
    }

    static func make(_ work: ShootWork, _ provider: any InfrastructureProvider, after: [String]) -> ShootTask {
        ShootTask(
            name: TaskName.machines,
            title: work.facts.isHibernated ? "Ending machines" : "Starting machines",
            after: after,
            inputs: { records in
                let last = try? records.output(TaskName.machines, as: Output.self)
                let due = Renewals.mark(last?.renewal, at: Clock.unixTime())
                let inputs: JSONValue = [
                    "workers": try CanonicalJSON.value(work.facts.spec.workers),
                    "images": try CanonicalJSON.value(work.configuration.machineImages),
                    "isHibernated": .bool(work.facts.isHibernated), "due": .integer(due),
                    "authorities": records[TaskName.authorities] ?? .null,
                    "addresses": records[TaskName.services] ?? .null,
                    "infrastructure": records[TaskName.infrastructure] ?? .null,
                ]
                guard let configuration = provider.machinesConfiguration else { return inputs }
                return inputs.merging(["configuration": .string(configuration)])
            },
            perform: { records in try await perform(work, provider, records) }
        )
    }

    private static func perform(
        _ work: ShootWork,
        _ provider: any InfrastructureProvider,
        _ records: FlowRecords
    ) async throws -> JSONValue {
        var output = Output(pools: [:], renewal: .max)
        var groups: [MachineGroup] = []
        for (group, renewal) in try await machineGroups(work, provider, records) {
            output.pools[group.pool.name] = "\(Digest.hex(group.userData)) \(group.pool.minimum)-\(group.pool.maximum)"
            output.renewal = min(output.renewal, renewal)
            groups.append(group)
        }
        let last = try? records.output(TaskName.machines, as: Output.self)
        if !work.asksCloud, !groups.isEmpty, records.isUnchanged(TaskName.machines), last?.pools == output.pools {
            return try CanonicalJSON.value(output)
        }
        let present = try await provider.scale(work, groups, records[TaskName.infrastructure] ?? [:])
        if let present {
            do {
                try await removeNodes(work, provider, except: present)
            } catch  where work.facts.isHibernated {
                // The API server may sleep already; Nodes without machines go when it wakes up.
                work.logger.info("Nodes stay while the shoot sleeps", metadata: ["reason": "\(error)"])
            }
        }
        return try CanonicalJSON.value(output)
    }

    /// All pools as the provider is to make them, each with when its user data is to be made anew; none while it sleeps.
    static func machineGroups(
        _ work: ShootWork,
        _ provider: any InfrastructureProvider,
        _ records: FlowRecords
    ) async throws -> [(group: MachineGroup, renewal: UInt64)] {
        guard !work.facts.isHibernated else { return [] }
        let shoot = try await work.shootClient()
        let addresses = try work.addresses(records)
        let users = UserDataStore(work: work, provider: provider, shoot: shoot, addresses: addresses)
        var groups: [(MachineGroup, UInt64)] = []
        for pool in work.facts.spec.workers {
            let (userData, renewal) = try await users.keep(pool)
            groups.append((MachineGroup(pool: pool, image: try work.image(of: pool), userData: userData), renewal))
        }
        return groups
    }

    private static func removeNodes(
        _ work: ShootWork,
        _ provider: any InfrastructureProvider,
        except present: PresentMachines
    ) async throws {
        let shoot = try await work.shootClient()
        let nodes = try await shoot.list(Node.self).items
        for node in nodes where present.isGone(node) {
            if let name = node.metadata.name { try await removeNode(name, shoot) }
        }
        try await EndedMachines.forget(work, provider, present, shoot, at: Clock.unixTime())
        // What a machine said of itself that never became a node, and is gone.
        guard case .names(let names) = present else { return }
        let known = names.union(nodes.map(\.name))
        for bootstrap in try await shoot.list(NodeBootstrap.self).items {
            guard let name = bootstrap.metadata.name, !known.contains(name) else { continue }
            try await shoot.delete(NodeBootstrap.self, name)
        }
    }

    /// Removes the Node of a machine that is gone, and what this said of itself: nobody else would so soon.
    static func removeNode(_ name: String, _ shoot: KubernetesClient) async throws {
        // First: by the Node what a stop leaves is found again.
        try await shoot.delete(NodeBootstrap.self, name)
        try await shoot.delete(Node.self, name)
    }
}

/// What the machines of each pool start with, and the tokens in it.
private struct UserDataStore {
    private static let expiry = "tendril.dev/token-expiry"
    private static let inputs = "tendril.dev/inputs"
    private static let key = "user-data"
    /// The token's Secret in the shoot: whoever takes it away there finds it made again.
    private static let token = "token.json"

    let work: ShootWork
    let provider: any InfrastructureProvider
    let shoot: KubernetesClient
    let addresses: ControlPlaneAddresses

    /// The user data of a pool, with a token that is good for half of its life at least, and when it is to be made anew.
    func keep(_ pool: Shoot.Worker) async throws -> ([UInt8], renewal: UInt64) {
        let store = SecretStore(seed: work.seed, namespace: work.namespace)
        let name = "user-data-\(pool.name)"
        var agent = AgentConfiguration(
            cluster: work.namespace,
            pool: pool.name,
            apiServers: [addresses.frontDoorURL],
            configurationKeys: try await configurationKeys()
        )
        let image = try work.image(of: pool)
        agent.machineClass = MachineClass.of(pool, image)
        agent.certificateAuthority = String(decoding: try await bundle(), as: UTF8.self)
        let program = image.program
        let wanted = try JSONValue.array([CanonicalJSON.value(agent), CanonicalJSON.value(program)]).digest()
        let now = Clock.unixTime()
        if let present = try await store.read(name), present.metadata.annotations?[Self.inputs] == wanted,
            let expiry = present.metadata.annotations?[Self.expiry].flatMap({ UInt64($0) }),
            expiry > now + Renewals.tokenLifetime / 2, let userData = present[Self.key], let token = present[Self.token]
        {
            try await publish(try JSONDecoder().decode(KubernetesSecret.self, from: Data(token)))
            return (userData, expiry - Renewals.tokenLifetime / 2)
        }
        let token = try TokenManifest.make(
            pool: pool.name,
            machine: nil,
            namePrefix: provider.namePrefix(work.namespace, pool: pool.name),
            lifetime: Renewals.tokenLifetime,
            allowsRejoin: false
        )
        let userData = try UserData.render(
            UserDataConfiguration(agent: agent, program: program, token: token.text),
            as: .cloudConfig,
            unit: AgentUnit.text
        )
        let expiry = now + Renewals.tokenLifetime
        let notes = [Self.inputs: wanted, Self.expiry: "\(expiry)"]
        // Ahead of what is done: who is stopped here publishes this token, and makes no second one.
        let data = [Self.key: userData, Self.token: try CanonicalJSON.bytes(token.secret)]
        try await store.write(name, data, annotations: notes)
        try await publish(token.secret)
        return (userData, expiry - Renewals.tokenLifetime / 2)
    }

    /// Has the shoot take a token, which may be there already.
    private func publish(_ token: KubernetesSecret) async throws {
        do throws(APIError) {
            try await shoot.create(token)
        } catch {
            guard error.isConflict else { throw error }
        }
    }

    private func configurationKeys() async throws -> [String] {
        let keys = SigningKeys.verifying(try await work.secret(KeyName.nodeSigning.rawValue))
        guard !keys.isEmpty else { throw TaskFailure(.unknown, "the signing key is gone") }
        return keys
    }

    private func bundle() async throws -> [UInt8] {
        try await work.secret(Authority.cluster.bundle)[SecretKey.authority] ?? []
    }
}
