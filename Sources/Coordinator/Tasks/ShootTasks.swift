internal import ClusterModel
internal import FoundationEssentials
internal import KubernetesClient
internal import LinuxSystem
internal import NodePlan
internal import ShootPlan
internal import TLSEngine
internal import TendrilCore

/// What the shoot itself needs before its first machine comes.
enum SystemTask {
    static func make(_ work: ShootWork) -> ShootTask {
        ShootTask(
            name: TaskName.system,
            title: "Preparing the cluster for its nodes",
            after: [TaskName.apiAnswers],
            inputs: { records in
                [
                    "credentials": records[TaskName.authorities] ?? .null,
                    "addresses": records[TaskName.services] ?? .null,
                    "objects": .array(
                        Addons.system(work.facts, gateKey: "") + (try BootstrapManifests.all(clusterInfo: nil))
                    ),
                ]
            },
            perform: { records in
                let shoot = try await work.shootClient()
                let gate = try await work.secret(KeyName.gate.rawValue)[NodeRendering.gateKey] ?? []
                let bundle = try await work.secret(Authority.cluster.bundle)[SecretKey.authority] ?? []
                let server = "https://\(try work.addresses(records).frontDoor.text)"
                let objects =
                    try BootstrapManifests.all(clusterInfo: (server, bundle))
                    + Addons.system(work.facts, gateKey: Data(gate).base64EncodedString())
                var installed = InstalledObjects()
                for object in objects {
                    // What a definition brings is served a moment later, and namespaces are made one after the other.
                    let applied = try await Waiting.until(.seconds(30), for: "an object to be taken") {
                        .success(try await shoot.serverSideApply(object, manager: Manager.name))
                            as Result<JSONValue, Waiting.NotYet>
                    }
                    installed.note(object, as: applied)
                }
                return try CanonicalJSON.value(installed)
            }
        )
    }
}

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
                        try published == configuration(last) && !nodes.contains { $0.hasTakenBack(last, pool.name) }
                    let wanted = try configuration(isSame ? last : last + 1)
                    let problems = NodeConfigurationRules.problems(wanted)
                    guard problems.isEmpty else {
                        throw TaskFailure(.configuration, "pool \(pool.name): \(ConfigurationError(problems))")
                    }
                    for object in try NodeConfigurationManifests.all(wanted, keys: keys) {
                        try await shoot.serverSideApply(object, manager: Manager.name)
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

/// What runs in kube-system.
enum AddonsTask {
    struct Output: Codable, Sendable {
        /// Workloads to wait for, as `daemonsets/kube-proxy`.
        var workloads: [String]
        /// Add-ons that do not run, for their images are not at hand.
        var leftOut: [String]
        /// Where the objects are: what is not wanted any more is removed.
        var paths: [String]
        /// How they were left.
        var installed: InstalledObjects?
    }

    static func make(_ work: ShootWork) -> ShootTask {
        let kubeProxy = work.configuration.kubeProxy ?? [:]
        return ShootTask(
            name: TaskName.addons,
            title: "Installing add-ons",
            after: [TaskName.system],
            inputs: { records in
                let addons = try Addons.all(work.facts, kubeProxy: kubeProxy, kubeconfig: "", digest: "")
                return [
                    "objects": .array(addons.flatMap(\.objects)),
                    "certificates": records[TaskName.certificates] ?? .null,
                ]
            },
            perform: { records in
                let shoot = try await work.shootClient()
                let kubeconfig = try await work.secret("kube-proxy")[SecretKey.kubeconfig] ?? []
                let addons = try Addons.all(
                    work.facts,
                    kubeProxy: kubeProxy,
                    kubeconfig: Data(kubeconfig).base64EncodedString(),
                    digest: Digest.hex(kubeconfig)
                )
                let objects = addons.flatMap(\.objects)
                var installed = InstalledObjects()
                for object in objects {
                    installed.note(object, as: try await shoot.serverSideApply(object, manager: Manager.name))
                }
                let paths = objects.compactMap { ObjectPath.path(of: $0) }
                let before = (try? records.output(TaskName.addons, as: Output.self).paths) ?? []
                for path in before where !paths.contains(path) { try await shoot.deleteDocument(path) }
                // Who was stopped on the way to another wish has not written down what is there.
                let isChange = records.tasks[TaskName.addons]?.inputs.isEmpty ?? false
                for path in isChange ? try everyPath(work) : [] where !paths.contains(path) && !before.contains(path) {
                    let label = try await shoot.findDocument(path)?["metadata"]?["labels"]?[Addons.ownerLabel.key]?.text
                    if label == Addons.ownerLabel.value { try await shoot.deleteDocument(path) }
                }
                return try CanonicalJSON.value(
                    Output(
                        workloads: addons.compactMap(\.workload),
                        leftOut: addons.filter(\.isLeftOut).map(\.name),
                        paths: paths,
                        installed: installed
                    )
                )
            }
        )
    }
}

extension AddonsTask {
    /// Where objects of add-ons may be, also of those that are not wanted.
    private static func everyPath(_ work: ShootWork) throws -> [String] {
        let all = try Addons.all(work.facts.withEveryAddon, kubeProxy: [:], kubeconfig: "", digest: "")
        return all.flatMap(\.objects).compactMap { ObjectPath.path(of: $0) }
    }
}

/// What people come with: a kubeconfig of short life beside the Shoot.
enum AccessTask {
    static func name(_ shoot: String) -> String { "\(shoot).kubeconfig" }

    static func make(_ work: ShootWork) -> ShootTask {
        ShootTask(
            name: TaskName.access,
            title: "Handing out the kubeconfig",
            after: [TaskName.apiAnswers],
            inputs: { records in ["certificates": records[TaskName.certificates] ?? .null] },
            perform: { _ in
                let kubeconfig = try await work.secret(LeafPlan.people)[SecretKey.kubeconfig] ?? []
                try await work.garden.serverSideApply(
                    [
                        "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
                        "metadata": [
                            "name": .string(name(work.shoot.name)), "namespace": .string(work.shoot.namespace),
                            "labels": ["app.kubernetes.io/managed-by": "tendril-coordinator"],
                        ],
                        "data": ["kubeconfig": .string(Data(kubeconfig).base64EncodedString())],
                    ],
                    manager: Manager.name
                )
                return [:]
            }
        )
    }
}

/// The end of a flow: what was made is there and works.
enum ReadinessTasks {
    static func nodes(_ work: ShootWork, _ provider: any InfrastructureProvider) -> ShootTask {
        ShootTask(
            name: TaskName.nodesReady,
            title: "Waiting for nodes",
            after: [TaskName.replacement],
            isWaiting: true,
            inputs: { records in
                [
                    "replaced": .string(records.tasks[TaskName.replacement]?.inputs ?? ""),
                    "configurations": records[TaskName.nodeConfigurations] ?? .null,
                    "machines": records[TaskName.machines] ?? .null,
                ]
            },
            perform: { records in
                let shoot = try await work.shootClient()
                let generations = try records.output(TaskName.nodeConfigurations, as: [String: Int].self)
                let repair = MachineRepair(work, provider, records, shoot)
                var due = Clock.now() + MachineRepair.period
                let _: Bool = try await Waiting.until(.seconds(1200), every: .milliseconds(500), for: "nodes") {
                    if Clock.now() >= due {
                        due = Clock.now() + MachineRepair.period
                        await repair.attend(at: Clock.unixTime())
                    }
                    let nodes = try await shoot.list(Node.self).items
                    let report = try await NodesReport.read(nodes, shoot, work, generations: generations)
                    return report.problem.map { .failure(.init($0, left: report.lagging)) } ?? .success(true)
                }
                try await MachineRepair.forget(work)
                return [:]
            }
        )
    }

    static func system(_ work: ShootWork) -> ShootTask {
        ShootTask(
            name: TaskName.systemReady,
            title: "Waiting for kube-system and the link",
            after: [TaskName.addons, TaskName.nodesReady],
            isWaiting: true,
            inputs: { records in
                [
                    "addons": records[TaskName.addons] ?? .null,
                    "nodes": .string(records.tasks[TaskName.nodesReady]?.inputs ?? ""),
                ]
            },
            perform: { records in
                let shoot = try await work.shootClient()
                let addons = try records.output(TaskName.addons, as: AddonsTask.Output.self)
                let installed = InstalledObjects(records)
                let _: Bool = try await Waiting.until(.seconds(600), for: "kube-system") {
                    let nodes = work.facts.hasNodes ? try await shoot.list(Node.self).items : nil
                    let problem = try await SystemReport.problem(addons.workloads, installed, shoot, nodes)
                    // Waiting does not bring it back; the next flow makes everything again.
                    if let problem, problem.isLasting { throw TaskFailure(.removed, problem.text) }
                    return problem.map { .failure(.init($0.text)) } ?? .success(true)
                }
                return [:]
            }
        )
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

extension Node {
    /// Whether this node of a pool has taken a generation back, as its agent says.
    fileprivate func hasTakenBack(_ generation: Int, _ pool: String) -> Bool {
        guard self.pool == pool else { return false }
        let condition = status?.conditions?.first { $0.type == "TendrilAgentReady" && $0.status == "False" }
        return condition?.message?.hasPrefix("generation \(generation) was taken back") == true
    }
}
