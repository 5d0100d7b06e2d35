import ArgumentParser
import ClusterModel
import CommandSupport
import KubernetesClient
import LinuxSystem
import ShootPlan
import TendrilCore

/// The command `tendril node`.
struct NodeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "node",
        abstract: "The machines of a shoot.",
        subcommands: [NodeStatusCommand.self]
    )
}

/// The command `tendril node status`.
struct NodeStatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract:
            "Show each machine with its configuration, its agent, and what is wrong; also those that are not nodes yet.",
        discussion: "Ends with 69 where something is wrong, also where a pool has fewer machines than its minimum."
    )

    @OptionGroup var options: ShootStatusOptions

    func run() async throws {
        let (machines, shoot, _) = try await options.ask { (client) async throws(APIError) in
            MachineLine.all(
                try await client.list(Node.self).items,
                try await client.list(NodeBootstrap.self).items,
                try await client.list(Lease.self, namespace: TendrilAPI.namespace).items,
                at: Clock.unixTime()
            )
        }
        let lines = machines + MachineLine.missing(shoot, beside: machines)
        print(try options.output.text(lines) { table(lines) }, terminator: "")
        if lines.contains(where: { $0.problem != nil }) { throw ExitCode(Failure.Code.unavailable.value) }
    }

    private func table(_ lines: [MachineLine]) -> String {
        let head = ["NAME", "POOL", "READY", "KUBELET", "GENERATION", "AGENT", "PROBLEM"]
        return TextTable.aligned(
            [head]
                + lines.map { line in
                    [
                        line.name, line.pool ?? "-", line.isReady ? "True" : "False", line.kubeletVersion ?? "-",
                        line.generation.map { "\($0)" } ?? "-", line.agentSilence.map { "\($0) s ago" } ?? "-",
                        line.problem ?? "",
                    ]
                },
            shaded: ["READY"]
        )
    }
}
