package import ClusterModel
internal import FoundationEssentials
package import HTTPModel
package import KubernetesClient
package import LinuxSystem
package import Logging
package import NodePlan
package import TLSEngine
internal import TendrilCore

/// What every part of the agent works with.
package struct AgentContext: Sendable {
    package let configuration: AgentConfiguration
    /// Who this machine is.
    package let identity: MachineIdentity
    package let files: ConfinedFiles
    package let units: any UnitControl
    package let transport: any HTTPTransport
    package let logger: Logger
    package let service: ServiceManager
    package let renewals = Renewals()

    /// Makes a context.
    ///
    /// - Parameters:
    ///   - configuration: has no problems.
    ///   - transport: carries the requests.
    ///   - logger: takes what the agent tells.
    ///   - root: the directory that all paths of files begin at.
    ///   - units: the machine's systemd.
    /// - Throws: `AgentFailure` or `SystemError` where the machine has no name, or its files cannot be reached.
    package init(
        _ configuration: AgentConfiguration,
        transport: any HTTPTransport,
        logger: Logger,
        root: String = "/",
        units: any UnitControl = Systemctl()
    ) throws {
        self.configuration = configuration
        identity = try Self.identity(configuration)
        files = try ConfinedFiles(root: root)
        self.units = units
        self.transport = transport
        self.logger = logger
        service = ServiceManager()
    }

    package var store: StateStore<ConfinedFiles> { StateStore(files) }
    var applier: Applier<ConfinedFiles> { Applier(files: files, units: units) }
    package var host: HostFacts {
        HostFacts(nodeName: identity.machine, hierarchy: Self.hierarchy, proxy: configuration.proxy)
    }

    /// Restarts a unit on a thread of its own, and waits for it.
    func restart(_ unit: String) async throws {
        let units = units
        try await Blocking.run("restart") { try units.perform(.restart, unit) }
    }

    /// A client that believes the cluster's CA.
    package func client(trust authority: [UInt8], as credential: HTTPSecurity.Credential) -> KubernetesClient {
        client(security(.bundle(authority), credential))
    }

    package func client(_ security: HTTPSecurity) -> KubernetesClient {
        KubernetesClient(
            servers: configuration.apiServers,
            security: security,
            transport: transport,
            agent: "tendril-agent/\(Version.text)"
        )
    }

    /// Credentials with the configured proxy.
    package func security(_ trust: HTTPSecurity.Trust, _ credential: HTTPSecurity.Credential) -> HTTPSecurity {
        HTTPSecurity(
            trust: trust,
            credential: credential,
            proxy: configuration.proxy?.url ?? "",
            noProxy: (configuration.proxy?.noProxy ?? []).joined(separator: ",")
        )
    }

    /// The keys that sign configurations: those that the generation in force names, else those of the user data.
    ///
    /// Those of user data that was written anew since then are believed in any case.
    package func verifyingKeys() throws(TLSError) -> [VerifyingKey] {
        let told = configuration.configurationKeys
        let keys = namedKeys.map { named in isToldAnew ? named + told : named } ?? told
        return try keys.map { text throws(TLSError) in try VerifyingKey([UInt8](base64: text) ?? []) }
    }

    /// Whether the user data has the machine believe others than when the generation in force was taken.
    var isToldAnew: Bool {
        let before = try? store.load(Beliefs.self, AgentPaths.beliefs)
        return before.map { $0 != Beliefs(configuration) } ?? false
    }

    /// Notes whom the user data has the machine believe.
    func noteBeliefs() throws { try store.save(Beliefs(configuration), AgentPaths.beliefs) }

    private var namedKeys: [String]? {
        guard let applied = try? store.load(SignedConfiguration.self, AgentPaths.applied) else { return nil }
        return try? JSONDecoder().decode(NodeConfiguration.self, from: applied.document).spec.configurationKeys
    }

    /// Who a machine with this configuration is.
    package static func identity(_ configuration: AgentConfiguration) throws(AgentFailure) -> MachineIdentity {
        let name = configuration.machineName ?? HostName.current.lowercased()
        guard NodeName.isValid(name), name != "localhost" else {
            throw AgentFailure(.invalidConfiguration, "the host name \"\(name)\" is no name that a Node can have")
        }
        return MachineIdentity(cluster: configuration.cluster, machine: name, pool: configuration.pool)
    }

    /// cgroup v2 alone has this file at the top (kernel documentation, cgroup-v2).
    private static var hierarchy: CgroupHierarchy {
        (try? DurableFile.read("/sys/fs/cgroup/cgroup.controllers")) == nil ? .v1 : .v2
    }
}
