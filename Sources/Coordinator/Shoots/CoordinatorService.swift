internal import ClusterModel
internal import FoundationEssentials
internal import Glibc
internal import HTTPTransfer
internal import KubernetesClient
internal import LinuxSystem
internal import Logging
internal import NodePlan
internal import Observability
internal import StrictYAML
internal import TendrilCore

/// The coordinator as a process: with log, metrics and signals.
package struct CoordinatorService: Sendable {
    private let environment: CoordinatorEnvironment
    private let endpoint: HTTPEndpoint?
    private let leadership: Leadership
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
            return KubernetesClient(
                servers: [kubeconfig.server],
                security: kubeconfig.security,
                transport: transport,
                agent: "tendril-coordinator/\(Version.text)"
            )
        }
        let open = try client(configuration.seedKubeconfig)
        let leadership = Leadership(
            client: open,
            name: "tendril-coordinator-\(configuration.seed)",
            namespace: configuration.namespace ?? CoordinatorConfiguration.defaultNamespace,
            identity: "\(HostName.current)-\(getpid())",
            logger: logger
        )
        self.leadership = leadership
        let seed = open.fenced { leadership.isHeld }
        let garden =
            try configuration.gardenKubeconfig.map { path in
                try client(path).fenced { leadership.isHeld }
            } ?? seed
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
            mayWrite: { leadership.isHeld },
            logger: logger,
            slots: Slots(configuration.concurrency ?? 20),
            counts: counts
        )
        self.logger = logger
        endpoint = try configuration.metrics.flatMap { Endpoint($0) }.map { address in
            try HTTPEndpoint(address) { path in
                switch path {
                case "/metrics": HTTPEndpoint.Response(counts.text)
                case "/healthz": HTTPEndpoint.Response("ok\n")
                default: nil
                }
            }
        }
    }

    /// Takes care of shoots until SIGTERM or SIGINT.
    package func run() async {
        EndSignal.expect()
        if let endpoint, let thread = try? WorkerThread(name: "metrics", { endpoint.serve() }) { thread.detach() }
        if let settings = environment.configuration.webhook { answerQuestions(settings) }
        let fleet = Fleet(environment)
        let ending = Guarded(false)
        let work = Task {
            await leadership.acquire()
            logger.notice("taking care of shoots", metadata: ["seed": "\(environment.configuration.seed)"])
            let keeper = SeedKeeper(
                garden: environment.garden,
                name: environment.configuration.seed,
                logger: logger,
                kept: environment.ownSeed,
                count: { await fleet.hosted }
            )
            let watch = SeedWatch(
                garden: environment.garden,
                name: environment.configuration.seed,
                logger: logger
            )
            let following = Task {
                async let reporting: Void = keeper.run()
                async let watching: Void = watch.run()
                async let board: Void = environment.board.run(environment.seed, logger)
                await follow(fleet)
                _ = await (reporting, watching, board)
            }
            await leadership.keep()
            following.cancel()
            if !Task.isCancelled { logger.critical("the lead is lost") }
            ending.withLock { $0 = true }
        }
        await EndSignal.wait { ending.withLock { $0 } }
        work.cancel()
        await fleet.stop()
        await leadership.resign()
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

/// The shoots that there are, each with its loop.
private actor Fleet {
    private let environment: CoordinatorEnvironment
    private var loops: [String: ShootLoop] = [:]
    /// The seed of each shoot.
    private var seeds: [String: String] = [:]

    init(_ environment: CoordinatorEnvironment) { self.environment = environment }

    /// How many shoots the seed has.
    var hosted: Int { seeds.values.count { $0 == environment.configuration.seed } }

    func replace(_ shoots: [Shoot]) async {
        let keys = Set(shoots.map(\.key))
        for key in loops.keys where !keys.contains(key) { await forget(key) }
        for shoot in shoots { await observe(shoot) }
    }

    func observe(_ shoot: Shoot) async {
        let loop = loops[shoot.key] ?? ShootLoop(shoot, environment)
        loops[shoot.key] = loop
        seeds[shoot.key] = shoot.spec.seedName
        environment.counts.know(loops.count)
        await loop.observe(shoot, hosted: hosted)
    }

    /// Begins nothing any more.
    func stop() async {
        for key in loops.keys { await forget(key) }
    }

    func forget(_ key: String) async {
        seeds[key] = nil
        environment.counts.forget(key)
        await loops.removeValue(forKey: key)?.stop()
        environment.counts.know(loops.count)
    }
}
