import ArgumentParser
import CommandSupport
import FoundationEssentials
import NodeAgent

/// The command `tendril-agent routes`.
struct RoutesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "routes",
        abstract: "Keep routes to other nodes' pods; runs as a pod of kube-system on every node.",
        discussion: "Without --overlay nodes have to see one another without a router between them."
    )

    @Option(name: .long, help: "The name of this node.")
    var node: String

    @Option(name: .long, help: "The range of all pods; nothing outside of it is changed.")
    var pods: String

    @Flag(name: .long, help: "Carry packets between nodes inside UDP, port 4790 (VXLAN-GPE).")
    var overlay = false

    func run() async throws {
        let keeper = try orEnd(with: .configuration) {
            try RouteKeeper(
                node: node,
                pods: pods,
                isOverlay: overlay,
                variables: ProcessInfo.processInfo.environment
            )
        }
        await keeper.run()
    }
}
