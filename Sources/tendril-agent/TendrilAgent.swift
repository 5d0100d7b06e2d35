import ArgumentParser
import CommandSupport
import TendrilCore

/// The command line of the node agent.
@main
struct TendrilAgent: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tendril-agent",
        abstract: "Turns a machine into a node of a remote Kubernetes API server, and keeps it so.",
        version: Version.text,
        subcommands: [
            RunCommand.self, BootstrapCommand.self, CheckCommand.self, StatusCommand.self, ResetCommand.self,
            SupportBundleCommand.self, UserDataCommand.self, RoutesCommand.self,
        ]
    )

    static func main() async { await start() }
}
