internal import ClusterModel
internal import FoundationEssentials
internal import Glibc
internal import HTTPModel
internal import HTTPTransfer
internal import KubernetesClient
internal import LinuxSystem
internal import Logging
internal import NodePlan
internal import Observability
package import ShootPlan
internal import StrictYAML
internal import TendrilCore

/// The coordinator as a process: with log, metrics and signals.
package struct CoordinatorService: Sendable {
    private let environment: CoordinatorEnvironment
    private let endpoint: HTTPEndpoint?
    private let logger: Logger

    /// Reads a configuration, and judges it.
    package static func read(_ path: String) throws -> CoordinatorConfiguration {
        try StrictDecoder.decode(CoordinatorConfiguration.self, from: try DurableFile.read(path), judge: \.problems)
    }

    /// Connects to garden and seed.
    ///
    /// - Parameters:
    ///   - configuration: has no problems.
    ///   - variables: the process's environment, in which a pod finds its cluster.
    /// - Throws: where a cluster cannot be reached or spoken to.
    package init(_ configuration: CoordinatorConfiguration, variables: [String: String]) async throws {
        Privileges.forbidDumps()
        let level = configuration.logLevel.flatMap { Logger.Level(rawValue: $0) } ?? .info
        let format = configuration.logFormat.flatMap { LogFormat(rawValue: $0) } ?? .text
        let logger = Logger(label: "tendril-coordinator") { LogOutput(label: $0, level: level, format: format) }
        let transport = try HTTPTransfer()
        func client(_ path: String?) throws -> KubernetesClient {
            let kubeconfig = try path.map { try Kubeconfig(path: $0) } ?? Kubeconfig.inCluster(variables)
            return KubernetesClient(kubeconfig, transport: transport, program: Ownership.manager)
        }
        let seed = try client(configuration.seedKubeconfig)
        let garden = try configuration.gardenKubeconfig.map(client) ?? seed
        let peers = Peers(
            client: seed,
            seed: configuration.seed,
            namespace: configuration.namespace ?? CoordinatorConfiguration.defaultNamespace,
            place: "\(HostName.current)-\(getpid())",
            logger: logger
        )
        let version = try await seed.document("/version")["gitVersion"]?.text ?? ""
        guard let seedVersion = KubernetesVersion(version) else {
            throw SettingsError(description: "the seed's version \(version) is none from 1.20 on")
        }
        let counts = CoordinatorCounts()
        environment = CoordinatorEnvironment(
            configuration: configuration,
            garden: garden,
            seed: seed,
            seedVersion: seedVersion,
            transport: transport,
            peers: peers,
            logger: logger,
            slots: Slots(configuration.concurrency ?? 20),
            counts: counts,
            places: SeedPlaces(configuration.seed)
        )
        self.logger = logger
        endpoint = try configuration.metrics.flatMap { Endpoint($0) }.map { address in
            try HTTPEndpoint(address, metrics: { counts.text(coordinators: peers.count) })
        }
    }

    /// How long what is under way may go on before the shoots are given up all the same; a pod has 30 s.
    private static let grace = Nanoseconds.seconds(20)

    /// Takes care of shoots until SIGTERM or SIGINT.
    package func run() async {
        EndSignal.expect()
        if let endpoint { try? endpoint.start() }
        if let settings = environment.configuration.webhook { answerQuestions(settings) }
        let fleet = Fleet(environment)
        let ending = Guarded(false)
        let work = Task {
            let following = Task {
                let common = environment.fenced(for: Peers.seedKey)
                let keeper = SeedKeeper(common)
                async let reporting: Void = keeper.run()
                async let watching: Void = SeedWatch(common).run()
                async let board: Void = environment.board.run(environment.seed, logger)
                async let tidying: Void = tidy()
                await follow(fleet)
                _ = await (reporting, watching, board, tidying)
            }
            await environment.peers.run { await fleet.share() }
            following.cancel()
            if !Task.isCancelled { logger.critical("the share is lost: no Lease was renewed in time") }
            ending.withLock { $0 = true }
        }
        await EndSignal.wait { ending.withLock { $0 } }
        // While the Lease is renewed it can be written down what was made.
        let limit = Task {
            try? await Task.sleep(Self.grace)
            if !Task.isCancelled { environment.peers.stop() }
        }
        await fleet.stop()
        limit.cancel()
        work.cancel()
        environment.peers.stop()
        await work.value
        await environment.peers.resign()
    }

    /// Keeps small what many shoots at once have made large.
    private func tidy() async {
        while !Task.isCancelled {
            try? await Task.sleep(.seconds(5))
            ResidentMemory.releaseFreedHeap()
        }
    }

    /// Answers the API server before it stores a Shoot; where that cannot be, shoots are judged all the same, only later.
    private func answerQuestions(_ settings: CoordinatorConfiguration.Webhook) {
        let environment = environment
        do {
            let server = try AdmissionServer(settings, logger: logger) { environment.admissionProblems($0, before: $1) }
            try server.start()
        } catch {
            logger.error("nobody answers the API server's questions", metadata: ["reason": "\(error)"])
        }
    }

    /// Keeps a loop for each shoot that there is.
    private func follow(_ fleet: Fleet) async {
        await Watcher(Shoot.self, client: environment.garden, skipsUnreadable: true).run { event in
            switch event {
            case .all(let shoots): await fleet.replace(shoots)
            case .changed(let shoot): await fleet.observe(shoot)
            case .removed(let shoot): await fleet.forget(shoot.key)
            case .failed(let error):
                logger.warning("cannot watch shoots", metadata: ["reason": "\(error)"])
            }
        }
    }
}
