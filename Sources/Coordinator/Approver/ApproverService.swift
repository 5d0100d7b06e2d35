internal import ClusterModel
internal import Glibc
internal import HTTPModel
internal import HTTPTransfer
internal import KubernetesClient
internal import LinuxSystem
internal import Logging
internal import Observability
internal import TLSEngine
package import TendrilCore

/// How an approver is to run, as a person says it.
package struct ApproverSettings: Sendable {
    let kubeconfig: String
    let cluster: String
    let caCertificate: String
    let caKey: String
    let nodeNetworks: [String]
    let metrics: String?
    let logLevel: String
    let logFormat: String

    package init(
        kubeconfig: String,
        cluster: String,
        caCertificate: String,
        caKey: String,
        nodeNetworks: [String],
        metrics: String?,
        logLevel: String,
        logFormat: String
    ) {
        (self.kubeconfig, self.cluster, self.caCertificate, self.caKey) = (kubeconfig, cluster, caCertificate, caKey)
        (self.nodeNetworks, self.metrics) = (nodeNetworks, metrics)
        (self.logLevel, self.logFormat) = (logLevel, logFormat)
    }

    /// Every problem, each with its flag; none means that they can be used.
    package var problems: [ConfigurationProblem] {
        var problems: [ConfigurationProblem] = []
        problems.require(NodeName.isLabel(cluster), "--cluster", "\(cluster) is no DNS label in lower case")
        for text in nodeNetworks { problems.require(IPPrefix(text) != nil, "--node-network", "\(text) is no network") }
        problems.require(
            metrics.map { Endpoint($0) != nil } ?? true,
            "--metrics",
            "\(metrics ?? "") is not ADDRESS:PORT"
        )
        for (flag, value, choices) in [
            ("--log-level", logLevel, LogChoice.levels), ("--log-format", logFormat, LogChoice.formats),
        ] {
            problems.require(choices.contains(value), flag, "\(value) is none of \(choices.joined(separator: ", "))")
        }
        return problems
    }
}

/// Settings that cannot be used.
package struct SettingsError: Error, CustomStringConvertible {
    package let description: String
}

/// An approver as a process: with log, metrics and signals.
package struct ApproverService: Sendable {
    private let approver: Approver
    private let client: KubernetesClient
    private let kubeconfig: String
    private let changes: FileChanges
    private let logger: Logger
    private let endpoint: HTTPEndpoint?

    /// Reads everything that the settings name.
    package init(_ settings: ApproverSettings) throws {
        let problems = settings.problems
        guard problems.isEmpty, let level = Logger.Level(rawValue: settings.logLevel),
            let format = LogFormat(rawValue: settings.logFormat)
        else { throw ConfigurationError(problems) }
        Privileges.forbidDumps()
        let logger = Logger(label: "tendril-approver") { LogOutput(label: $0, level: level, format: format) }
        changes = FileChanges([settings.kubeconfig])
        let kubeconfig = try ConfigurationError.naming("--kubeconfig") { try Kubeconfig(path: settings.kubeconfig) }
        let certificate = try ConfigurationError.naming("--ca-certificate") {
            try DurableFile.read(settings.caCertificate)
        }
        let key = Secret(try ConfigurationError.naming("--ca-key") { try DurableFile.read(settings.caKey) })
        let authority = try RequestAuthority(certificate: certificate, key: key)
        let client = KubernetesClient(kubeconfig, transport: try HTTPTransfer(), program: "tendril-approver")
        let approver = Approver(
            client: client,
            cluster: settings.cluster,
            authority: authority,
            nodeNetworks: settings.nodeNetworks.compactMap { IPPrefix($0) },
            logger: logger
        )
        (self.approver, self.client, self.logger) = (approver, client, logger)
        self.kubeconfig = settings.kubeconfig
        endpoint = try settings.metrics.flatMap { Endpoint($0) }.map { address in
            try HTTPEndpoint(address, metrics: { ApproverMetrics.text(approver.counts) })
        }
    }

    /// Judges until SIGTERM or SIGINT.
    package func run() async {
        EndSignal.expect()
        if let endpoint { try? endpoint.start() }
        let work = Task {
            await withDiscardingTaskGroup { group in
                group.addTask { await approver.run() }
                group.addTask { await followKubeconfig() }
            }
        }
        logger.info("judging requests for certificates")
        await EndSignal.wait()
        work.cancel()
    }

    /// Speaks with new credentials, and believes another CA, once the file says so.
    private func followKubeconfig() async {
        var changes = changes
        while !Task.isCancelled {
            try? await Task.sleep(.seconds(5))
            do {
                guard let newest = try changes.take(at: Clock.now(), { try Kubeconfig(path: kubeconfig) }) else {
                    continue
                }
                client.use(newest.security)
                logger.notice("kubeconfig read again")
            } catch {
                logger.error("cannot read the kubeconfig", metadata: ["reason": "\(error)"])
            }
        }
    }
}

/// The approver's counters as Prometheus text.
enum ApproverMetrics {
    static func text(_ counts: Approver.Counts) -> String {
        var text = MetricsText()
        func add(_ name: String, _ help: String, _ samples: [MetricsText.Sample]) {
            text.add("tendril_approver_\(name)", .counter, help, samples)
        }
        add("approved_total", "Requests approved.", MetricsText.Sample.each(of: counts.approved, by: "signer"))
        add("denied_total", "Requests denied.", MetricsText.Sample.each(of: counts.denied, by: "reason"))
        add("alarms_total", "Denied requests that somebody should look at.", [.init(counts.alarms)])
        add("failures_total", "Attempts to judge that failed.", [.init(counts.failures)])
        return text.text
    }
}
