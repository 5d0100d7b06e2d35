import ArgumentParser
import ClusterModel
import CommandSupport
import KubernetesClient
import LinuxSystem
import ShootPlan
import StrictYAML
import TendrilCore

/// The command `tendril up`.
struct UpCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "up",
        abstract: "Make a cluster a garden and a seed: our kinds, the coordinator, and its Seed.",
        discussion: """
            The cluster is that of your kubeconfig, and you are its administrator. What is there already is brought to what is \
            said; shoots are left alone. A garden and a seed that are two clusters are installed from deploy/ instead.
            """
    )

    @OptionGroup var cluster: ClusterOptions
    @Option(name: .long, help: "A Seed in YAML: its networks, and how it is reached.", completion: .file())
    var seed: String
    @Option(name: .long, help: "A CoordinatorConfiguration in YAML.", completion: .file())
    var config: String
    @Option(name: .long, help: "How many coordinators share the seed's shoots: 1 to 10.")
    var replicas = 1
    @OptionGroup var waiting: WaitOptions

    func validate() throws {
        guard (1...10).contains(replicas) else { throw ValidationError("--replicas must be 1 to 10") }
    }

    func run() async throws {
        let seed = try readSeed()
        let name = seed.object.name
        let installation = try readInstallation(for: name)
        let installer = Installer(client: try cluster.connect().client)
        try await keepOtherSeed(than: name, installer)
        try await installer.install(installation, seed: seed.document)
        guard waiting.wait else { return print("a coordinator for the seed \(name) is wanted") }
        try await installer.await(name)
    }

    /// Refuses to make the coordinator another seed's as long as somebody needs it.
    private func keepOtherSeed(than name: String, _ installer: Installer) async throws {
        guard let served = try await installer.served, served != name else { return }
        let count = try await installer.shoots(of: served).count
        guard count == 0 else {
            let reason =
                "is \(name), and the coordinator of this cluster takes care of \(served), which has \(count) shoots"
            throw Failure(ConfigurationError("metadata.name", reason), exitCode: .configuration)
        }
    }

    private func readSeed() throws -> WrittenFile<Seed> {
        do {
            let written = try WrittenFile<Seed>(seed, try Seed.definition(), withLimits: true)
            let problems = SeedRules.problems(written.object)
            guard problems.isEmpty else { throw ConfigurationError(problems) }
            return written
        } catch {
            throw Failure(error, in: seed, exitCode: .configuration)
        }
    }

    private func readInstallation(for seed: String) throws -> SeedInstallation {
        do {
            let bytes = try DurableFile.read(config)
            let configuration = try StrictDecoder.decode(
                CoordinatorConfiguration.self,
                from: bytes,
                judge: { $0.problems + SeedInstallation.problems($0, seed: seed) }
            )
            return SeedInstallation(
                try SeedInstallation.base(),
                configuration,
                text: String(decoding: bytes, as: UTF8.self),
                version: Version.text,
                replicas: replicas
            )
        } catch {
            throw Failure(error, in: config, exitCode: .configuration)
        }
    }
}
