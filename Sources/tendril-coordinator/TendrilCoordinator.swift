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
        subcommands: [ApproverCommand.self, ManifestsCommand.self, SigningKeyCommand.self]
    )

    static func main() async {
        do {
            var command = try parseAsRoot()
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch let failure as Failure {
            failure.exit()
        } catch {
            exit(withError: error)
        }
    }
}
