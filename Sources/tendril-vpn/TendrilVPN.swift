import ArgumentParser
import CommandSupport
import TendrilCore
import TunnelDaemon

/// The command line of the tunnel daemon.
@main
struct TendrilVPN: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tendril-vpn",
        abstract: "Links two networks, such as a control plane and its nodes, by mutually authenticated TLS 1.3.",
        version: Version.text,
        subcommands: [ServerCommand.self, ClientCommand.self, CertificatesCommand.self, StatusCommand.self]
    )

    static func main() {
        do {
            var command = try parseAsRoot()
            try command.run()
        } catch let failure as Failure {
            failure.exit()
        } catch {
            exit(withError: error)
        }
    }
}
