import ArgumentParser
import CommandSupport
import Coordinator
import FoundationEssentials
import ShootPlan
import TendrilCore

/// The command `tendril-coordinator run`.
struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Take care of the shoots of a seed."
    )

    @Option(name: .long, help: "A CoordinatorConfiguration in YAML.", completion: .file())
    var config: String

    @Option(name: .long, help: "ADDRESS:PORT for metrics and health, whatever the configuration says.")
    var metrics: String?

    @Flag(name: .long, help: "Judge the configuration and end; files that it names are not looked at.")
    var check = false

    func validate() throws {
        guard metrics.map({ Endpoint($0) != nil }) ?? true else {
            throw ValidationError("--metrics is not ADDRESS:PORT")
        }
    }

    func run() async throws {
        let service: CoordinatorService
        do {
            var configuration = try CoordinatorService.read(config)
            configuration.metrics = metrics ?? configuration.metrics
            if check { return print("The configuration is valid.") }
            service = try await CoordinatorService(configuration, variables: ProcessInfo.processInfo.environment)
        } catch {
            throw Failure(error, exitCode: .configuration)
        }
        await service.run()
    }
}

/// The command `tendril-coordinator definitions`.
struct DefinitionsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "definitions",
        abstract: "Print the definitions of Shoot and Seed for the garden, for `kubectl apply -f -`."
    )

    @Flag(name: .long, help: "Print a page about every field instead.")
    var markdown = false

    func run() throws {
        if markdown { return print(try GardenManifests.reference(), terminator: "") }
        try ManifestOutput.write(try GardenManifests.all())
    }
}
