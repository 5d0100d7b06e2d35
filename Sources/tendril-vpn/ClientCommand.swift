import ArgumentParser
import TendrilCore
import TunnelDaemon

/// The command `tendril-vpn client`.
struct ClientCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "client",
        abstract: "Dial servers and serve networks to them."
    )

    @OptionGroup var common: CommonOptions

    @Option(name: .long, parsing: .singleValue, help: "HOST:PORT of a server instance; may be given several times.")
    var server: [String] = []

    @Option(name: .long, help: "The name that load balancers route by (SNI; default: the server's host name).")
    var serverName: String?

    @Option(
        name: .long,
        parsing: .singleValue,
        help: """
            A network of the seed side: routed into the tunnel, and the only sources taken beside its addresses; may be given \
            several times.
            """
    )
    var remoteNetwork: [String] = []

    @Flag(name: .long, help: "Give what leaves this node the node's own address (nftables, by netlink).")
    var masquerade = false

    @Option(
        name: .long,
        help: """
            ADDRESS:PORT at which pods reach the API server (default: none). Where nobody has the address the loopback \
            device gets it, which needs CAP_NET_ADMIN.
            """
    )
    var apiServerListen: String?

    func run() throws {
        try common.run(.client) { raw in
            raw.set(.apiServerListen, [apiServerListen].compactMap { $0 })
            raw.set(.server, server)
            raw.set(.serverName, [serverName].compactMap { $0 })
            raw.set(.remoteNetwork, remoteNetwork)
            if masquerade { raw.set(.masquerade, ["true"]) }
        }
    }
}
