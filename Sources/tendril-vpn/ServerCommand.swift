import ArgumentParser
import TendrilCore
import TunnelDaemon

/// The command `tendril-vpn server`.
struct ServerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "server",
        abstract: "Accept links from clients and carry packets to the networks behind them."
    )

    @OptionGroup var common: CommonOptions

    @Option(name: .long, help: "ADDRESS:PORT to accept links at (default: :8132).")
    var listen: String?

    @Option(
        name: .long,
        parsing: .singleValue,
        help: "PROTOCOL/ADDRESS:PORT that the shoot may open connections to; meant for the API server."
    )
    var allowInbound: [String] = []

    @Option(name: .long, help: "The UNIX socket at which kube-apiserver asks for streams by CONNECT (default: none).")
    var egressSocket: String?

    @Option(name: .long, help: "ADDRESS:PORT of the API server, which clients' streams may reach (default: none).")
    var apiServer: String?

    @Option(
        name: .long,
        help: "Instances behind the address that clients dial, each of which they link to (default: 1)."
    )
    var instances: Int?

    func run() throws {
        try common.run(.server) { raw in
            raw.set(.instances, [instances.map(String.init)].compactMap { $0 })
            raw.set(.egressSocket, [egressSocket].compactMap { $0 })
            raw.set(.apiServer, [apiServer].compactMap { $0 })
            raw.set(.listen, [listen].compactMap { $0 })
            raw.set(.allowInbound, allowInbound)
        }
    }
}
