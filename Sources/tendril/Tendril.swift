import ArgumentParser
import CommandSupport
import TendrilCore

/// The command line of people who have shoots; as `kubectl-tendril` it is a plug-in of kubectl.
@main
struct Tendril: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tendril",
        abstract: "Make clusters, look at them, and come into them.",
        discussion: "The garden is the cluster of your kubeconfig (KUBECONFIG, or ~/.kube/config).",
        version: Version.text,
        subcommands: [
            ShootCommand.self, KubeconfigCommand.self, NodeCommand.self, VPNCommand.self, UpCommand.self,
            DownCommand.self,
        ]
    )

    static func main() async { await start() }
}
