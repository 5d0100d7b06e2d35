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
        help: """
            PROTOCOL/ADDRESS:PORT that the shoot may open connections to; meant for the API server; may be given several times.
            """
    )
    var allowInbound: [String] = []

    @Option(
        name: .long,
        help: "The UNIX socket at which kube-apiserver asks for streams by CONNECT (default: none).",
        completion: .file()
    )
    var egressSocket: String?

    @Option(
        name: .long,
        help: "ADDRESS:PORT at which the same is asked for over TLS; needs --egress-socket and the three that follow."
    )
    var egressListen: String?

    @Option(name: .long, help: "The certificate that is shown at --egress-listen, in PEM.", completion: .file())
    var egressCertificate: String?

    @Option(name: .long, help: "The key of --egress-certificate, in PEM.", completion: .file())
    var egressKey: String?

    @Option(name: .long, help: "The CAs whose certificates may ask at --egress-listen, in PEM.", completion: .file())
    var egressAuthority: String?

    @Option(name: .long, help: "ADDRESS:PORT of the API server, which clients' streams may reach (default: none).")
    var apiServer: String?

    @Option(
        name: .long,
        help:
            "A kubeconfig: the cluster's Nodes say what each client speaks for, and who is asked first (default: none).",
        completion: .file()
    )
    var nodesKubeconfig: String?

    @Option(
        name: .long,
        parsing: .singleValue,
        help: """
            A part of the networks that is every client's although Nodes are followed: that of Services; may be given several \
            times.
            """
    )
    var sharedNetwork: [String] = []

    @Option(
        name: .long,
        help: "Instances behind the address that clients dial, each of which they link to (default: 1)."
    )
    var instances: Int?

    @Option(
        name: .long,
        help: "How long the end waits for new requests too, in seconds: 0 to 600, at most --drain-seconds (default: 0)."
    )
    var lingerSeconds: Int?

    func run() throws {
        try common.run(.server) { raw in
            for (setting, value) in [(Setting.instances, instances), (.lingerSeconds, lingerSeconds)] {
                raw.set(setting, [value.map(String.init)].compactMap { $0 })
            }
            let single: [(Setting, String?)] = [
                (.egressSocket, egressSocket), (.egressListen, egressListen), (.egressCertificate, egressCertificate),
                (.egressKey, egressKey), (.egressAuthority, egressAuthority), (.apiServer, apiServer),
                (.listen, listen), (.nodesKubeconfig, nodesKubeconfig),
            ]
            for (setting, value) in single { raw.set(setting, [value].compactMap { $0 }) }
            raw.set(.allowInbound, allowInbound)
            raw.set(.sharedNetwork, sharedNetwork)
        }
    }
}
