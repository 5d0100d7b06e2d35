import ArgumentParser
import CommandSupport
import TendrilCore

/// The command line of the coordinator.
@main
struct TendrilCoordinator: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tendril-coordinator",
        abstract: "The control-plane side of Tendril's nodes: certificates, tokens, and what nodes are to be.",
        version: Version.text,
        subcommands: [
            RunCommand.self, ApproverCommand.self, DefinitionsCommand.self, ManifestsCommand.self,
            SigningKeyCommand.self,
        ]
    )

    static func main() async { await start() }
}
