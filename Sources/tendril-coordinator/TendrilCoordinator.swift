import ArgumentParser
import CommandSupport
import TendrilCore

/// The command line of the coordinator.
@main
struct TendrilCoordinator: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tendril-coordinator",
        abstract: "Makes clusters of Shoots in a seed, and approves and tells their nodes.",
        version: Version.text,
        subcommands: [
            RunCommand.self, ApproverCommand.self, DefinitionsCommand.self, ManifestsCommand.self,
            SigningKeyCommand.self, SnapshotCommand.self,
        ]
    )

    static func main() async { await start() }
}
