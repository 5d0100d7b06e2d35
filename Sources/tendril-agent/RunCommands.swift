import ArgumentParser
import CommandSupport
import NodeAgent
import NodePlan

/// The option that commands with a configuration share.
struct ConfigurationOption: ParsableArguments {
    @Option(name: .long, help: "The agent's configuration in YAML.", completion: .file())
    var config = AgentConfiguration.path

    func load() throws -> AgentConfiguration {
        try orEnd(with: .configuration) { try NodeAgent.configuration(config) }
    }
}

/// The command `tendril-agent run`.
struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Join the cluster if that is not done yet, then keep the node as it is wanted (the systemd service)."
    )

    @OptionGroup var option: ConfigurationOption

    func run() async throws {
        let configuration = try option.load()
        try await awaited(orEndWith: .operatingSystem) { try await NodeAgent.run(configuration) }
    }
}

/// The command `tendril-agent bootstrap`.
struct BootstrapCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bootstrap",
        abstract: "Run the phases of joining once and exit.",
        discussion: """
            Phases that are done are not done again. Exits with 0 when all are done; else with 20 to 28, one for each of \
            preflight, trust, authenticate, identity, desired-state, apply, kubelet, ready and cleanup. With --dry-run 69 \
            says that the cluster does not answer.
            """
    )

    @OptionGroup var option: ConfigurationOption

    @Flag(
        name: .long,
        help: "Only print what would be done to the machine; before it has an identity, just the phases."
    )
    var dryRun = false

    func run() async throws {
        let configuration = try option.load()
        if dryRun { return try await printPlan(configuration) }
        let failed = try await awaited(orEndWith: .operatingSystem) { try await NodeAgent.bootstrap(configuration) }
        if let (phase, failure) = failed {
            throw Failure(failure, exitCode: Failure.Code(AgentFailure.exitCode(of: phase)))
        }
    }

    private func printPlan(_ configuration: AgentConfiguration) async throws {
        let lines = try await awaited(orEndWith: .unavailable) { try await NodeAgent.dryRun(configuration) }
        for line in lines { print(line) }
    }
}

/// The command `tendril-agent check`.
struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Validate the agent's configuration without touching machine or network."
    )

    @OptionGroup var option: ConfigurationOption

    func run() throws {
        _ = try option.load()
        print("The configuration is valid.")
    }
}
