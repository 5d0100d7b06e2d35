internal import ClusterModel
internal import FoundationEssentials
internal import KubernetesClient
internal import NodePlan
internal import ShootPlan
internal import TLSEngine
internal import TendrilCore

/// What the machines of every pool are to be, signed and published in the shoot.
enum NodeConfigurationsTask {
    static func make(_ work: ShootWork, _ rotation: Rotation) -> ShootTask {
        ShootTask(
            name: TaskName.nodeConfigurations,
            title: "Publishing what nodes are to be",
            // Machines ask for new certificates at once; who issues them has to have the new CA by then.
            after: [TaskName.system] + (rotation.step == .moved ? [TaskName.controllers] : []),
            inputs: { records in
                let addresses = try work.addresses(records)
                let pools = try work.facts.spec.workers.map { pool in
                    try CanonicalJSON.value(try render(work, pool, addresses, NodeTrust(), generation: 0))
                }
                return ["pools": .array(pools), "authorities": records[TaskName.authorities] ?? .null]
            },
            perform: { records in
                let shoot = try await work.shootClient()
                let addresses = try work.addresses(records)
                let (trust, keys) = try await trust(work)
                let proofs = try keys.map { try $0.verifyingKey() }
                let nodes = try await shoot.list(Node.self).items
                let known = (try? records.output(TaskName.nodeConfigurations, as: [String: Int].self)) ?? [:]
                var generations: [String: JSONValue] = [:]
                for pool in work.facts.spec.workers {
                    let published = try await published(pool.name, shoot, by: proofs)
                    func configuration(_ generation: Int) throws -> NodeConfiguration {
                        try render(work, pool, addresses, trust, generation: generation)
                    }
                    // Never lower than what was ever published, even where that is gone or cannot be read any more.
                    let told = max(published?.metadata.generation ?? 0, known[pool.name] ?? 0)
                    let last = max(told, nodes.newestApplied(pool.name, after: told))
                    // What a machine has taken back it never tries again.
                    let isSame =
                        try published == configuration(last)
                        && !nodes.contains { $0.pool == pool.name && $0.hasTakenBack(last) }
                    let wanted = try configuration(isSame ? last : last + 1)
                    let problems = NodeConfigurationRules.problems(wanted)
                    guard problems.isEmpty else {
                        throw TaskFailure(.configuration, "pool \(pool.name): \(ConfigurationError(problems))")
                    }
                    for object in try NodeConfigurationManifests.all(wanted, keys: keys) {
                        try await shoot.serverSideApply(object, manager: Ownership.manager)
                    }
                    generations[pool.name] = .integer(wanted.metadata.generation)
                }
                return .object(generations)
            }
        )
    }

    private static func render(
        _ work: ShootWork,
        _ pool: Shoot.Worker,
        _ addresses: ControlPlaneAddresses,
        _ trust: NodeTrust,
        generation: Int
    ) throws -> NodeConfiguration {
        try NodeRendering.configuration(
            work.facts,
            pool: pool,
            image: try work.image(of: pool),
            addresses: addresses,
            trust: trust,
            generation: generation
        )
    }

    /// Whom machines believe, and the keys that sign what they are told.
    private static func trust(_ work: ShootWork) async throws -> (NodeTrust, [SigningKey]) {
        func bundle(_ authority: Authority) async throws -> String {
            try await work.secret(authority.bundle).text(SecretKey.authority) ?? ""
        }
        func keyID(_ authority: Authority) async throws -> String {
            let certificate = try await work.secret(authority.rawValue)[SecretKey.authority] ?? []
            return Hex.text(try CertificateFacts(pem: certificate, authority.rawValue).keyID)
        }
        var trust = NodeTrust()
        (trust.tunnelAuthority, trust.clusterAuthority) = (try await bundle(.vpn), try await bundle(.cluster))
        trust.issuers = .init(
            agent: try await keyID(.vpn),
            kubelet: try await keyID(.client),
            kubeletServing: try await keyID(.kubelet)
        )
        let signing = try await work.secret(KeyName.nodeSigning.rawValue)
        trust.configurationKeys = SigningKeys.verifying(signing)
        return (trust, try SigningKeys.signing(signing))
    }

    /// What a pool's machines are told now; what these keys have not signed is not ours, and says nothing.
    private static func published(
        _ pool: String,
        _ shoot: KubernetesClient,
        by keys: [VerifyingKey]
    ) async throws -> NodeConfiguration? {
        let pointer = try await shoot.find(
            ConfigMap.self,
            TendrilAPI.pointer(pool: pool),
            namespace: TendrilAPI.namespace
        )
        guard let name = pointer?.data?[TendrilAPI.pointerKey],
            let secret = try await shoot.find(KubernetesSecret.self, name, namespace: TendrilAPI.namespace),
            let document = secret[TendrilAPI.documentKey],
            DetachedSignatures(secret.text(TendrilAPI.signatureKey) ?? "").prove(document, by: keys)
        else { return nil }
        return try? JSONDecoder().decode(NodeConfiguration.self, from: Data(document))
    }
}

extension [Node] {
    /// How far beyond what is known a node's word is taken: anybody with rights on Nodes can write there.
    private static var reach: Int { 1000 }

    /// The newest generation that nodes of a pool have applied, where it is a little newer than what is known.
    fileprivate func newestApplied(_ pool: String, after known: Int) -> Int {
        lazy.filter { $0.pool == pool }.compactMap(\.appliedGeneration)
            .filter { $0 > known && $0 - known <= Self.reach }.max() ?? 0
    }
}
