import ArgumentParser
import CommandSupport
import Coordinator
import TendrilCore

/// The command `tendril-coordinator approver`.
struct ApproverCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "approver",
        abstract: "Approve and sign the certificates of nodes, and deny all others with a reason."
    )

    @Option(
        name: .long,
        help: "A kubeconfig of the cluster; deploy/approver has the rights that it needs.",
        completion: .file()
    )
    var kubeconfig: String

    @Option(name: .long, help: "The cluster's technical ID.")
    var cluster: String

    @Option(
        name: .long,
        help: "The certificate in PEM of the CA that signs agents; the API server has to believe it.",
        completion: .file()
    )
    var caCertificate: String

    @Option(name: .long, help: "The CA's key in PEM.", completion: .file())
    var caKey: String

    @Option(
        name: .long,
        parsing: .singleValue,
        help: "A network that the machines' addresses lie in; may be given several times (default: any)."
    )
    var nodeNetwork: [String] = []

    @Option(name: .long, help: "ADDRESS:PORT for /metrics and /healthz (default: none).")
    var metrics: String?

    @Option(
        name: .long,
        help: "trace, debug, info, notice, warning, error or critical.",
        completion: .list(LogChoice.levels)
    )
    var logLevel = "info"

    @Option(name: .long, help: "text or json.", completion: .list(LogChoice.formats))
    var logFormat = "text"

    func run() async throws {
        let settings = ApproverSettings(
            kubeconfig: kubeconfig,
            cluster: cluster,
            caCertificate: caCertificate,
            caKey: caKey,
            nodeNetworks: nodeNetwork,
            metrics: metrics,
            logLevel: logLevel,
            logFormat: logFormat
        )
        let service = try orEnd(with: .configuration) { try ApproverService(settings) }
        await service.run()
    }
}
