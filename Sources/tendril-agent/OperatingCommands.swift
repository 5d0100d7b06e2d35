import ArgumentParser
import ClusterModel
import CommandSupport
import Glibc
import NodeAgent
import NodePlan

/// The command `tendril-agent status`.
struct StatusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show how far the machine is, and what is in force on it.",
        discussion:
            "Exits with 0 when all is well, with 1 when something is wrong, with 69 when no agent has run since the boot."
    )

    @Option(name: .shortAndLong, help: "table or json.")
    var output = StatusFormat.table

    func run() throws {
        guard let status = try orEnd(with: .unavailable, { try StatusFile.read() }) else {
            throw Failure(
                AgentFailure(.system, "no agent has run since the boot: \(AgentPaths.status) does not exist"),
                exitCode: .unavailable
            )
        }
        switch output {
        case .json: print(try CanonicalJSON.text(status))
        case .table: print(StatusTable.text(status))
        }
        if status.error != nil { throw ExitCode(1) }
    }
}

/// The command `tendril-agent reset`.
struct ResetCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reset",
        abstract: "Take everything back that was ever done to this machine.",
        discussion: """
            Stops the agent, the kubelet and all pods, puts back what was there before, and removes state and \
            credentials. Neither the Node object nor the agent's program and configuration are removed.
            """
    )

    @Flag(name: .long, help: "Do it; without this flag only what would be done is shown.")
    var yes = false

    func run() throws {
        try orEnd(with: .operatingSystem) {
            for line in try Reset(isDryRun: !yes).run() { print(line) }
        }
    }
}

/// The command `tendril-agent support-bundle`.
struct SupportBundleCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "support-bundle",
        abstract: "Collect what helps to understand a machine that is stuck; secrets are left out.",
        discussion: "Works without a network. The archive can be given to others."
    )

    @Option(name: .long, help: "Where to write the archive (tar).", completion: .file())
    var out = "tendril-support.tar"

    func run() throws {
        try orEnd(with: .operatingSystem) {
            try SupportBundle.write(to: out)
            print(out)
        }
    }
}
