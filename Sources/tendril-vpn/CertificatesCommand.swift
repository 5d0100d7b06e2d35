import ArgumentParser
import CommandSupport
import TunnelDaemon

/// The command `tendril-vpn certificates`.
struct CertificatesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "certificates",
        abstract: "Issue the certificates and the gate key of a paired set-up.",
        discussion: """
            Writes ca.crt, server.crt, server.key, client.crt, client.key and gate.key. The CA's key is not kept: run \
            the command again, into another directory, for a new set. Identity is the URI name in the certificates, \
            so that no host name or address has to be known.
            """
    )

    @Option(name: .long, help: "The cluster's name; only sides of the same cluster talk to each other.")
    var cluster: String

    @Option(
        name: .long,
        help: "The directory to write to; it is created where it does not exist.",
        completion: .directory
    )
    var out: String

    @Option(
        name: .long,
        parsing: .singleValue,
        help: "The name of a server instance; several get files of their own names."
    )
    var serverName: [String] = ["server"]

    @Option(name: .long, parsing: .singleValue, help: "The name of a client; several get files of their own names.")
    var clientName: [String] = ["client"]

    @Option(name: .long, help: "For how many days the certificates are valid: 1 to 3650.")
    var days = 365

    func run() throws {
        try orEnd(with: .configuration) {
            let set = PairedCertificates(cluster: cluster, servers: serverName, clients: clientName, days: days)
            for path in try set.write(to: out) { print(path) }
        }
    }
}
