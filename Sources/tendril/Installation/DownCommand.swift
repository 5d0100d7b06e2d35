import ArgumentParser
import ClusterModel
import CommandSupport
import KubernetesClient
import ShootPlan
import StrictYAML
import TendrilCore

/// The command `tendril down`.
struct DownCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "down",
        abstract: "Take away what `tendril up` made; refused as long as the seed has shoots.",
        discussion: """
            Our kinds, the namespace and the coordinators' role stay while there is another Seed; our kinds also while there is \
            any Shoot.
            """
    )

    @OptionGroup var cluster: ClusterOptions
    @Option(name: .long, help: "The Seed's name.")
    var seed: String

    func run() async throws {
        let installer = Installer(client: try cluster.connect().client)
        if let served = try await installer.served, served != seed {
            throw refusal("--seed: is \(seed), and the coordinator of this cluster takes care of \(served)")
        }
        let hosted = try await installer.shoots(of: seed)
        guard hosted.isEmpty else {
            let names = hosted.map(\.key).sorted().prefix(5).joined(separator: ", ")
            throw refusal(
                "the seed \(seed) has \(hosted.count) shoots, which nobody would look after: delete them first: \(names)"
            )
        }
        try await installer.remove(try SeedInstallation.base(), seed: seed)
    }

    private func refusal(_ text: String) -> Failure { Failure(text, exitCode: .configuration) }
}

extension SeedInstallation {
    /// The documents of `texts`.
    static func base() throws -> [JSONValue] { try texts.map { try YAMLParser.parse(Array($0.utf8)).json } }
}
