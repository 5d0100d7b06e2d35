import ArgumentParser
import ClusterModel
import CommandSupport
import KubernetesClient
import StrictYAML
import TendrilCore

/// The command `tendril kubeconfig`.
struct KubeconfigCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kubeconfig",
        abstract: "Fetch the kubeconfig of a shoot; it is good for at most a day.",
        discussion: """
            With --out a kubeconfig of the same shoot that was fetched before is replaced; one that names anything else, such as \
            another shoot's API server, is not.
            """
    )

    @OptionGroup var options: GardenOptions
    @Argument(help: "The shoot's name.")
    var name: String
    @OptionGroup var output: SecretOutput

    func run() async throws {
        let garden = try options.garden()
        let bytes = try await ShootAccess.kubeconfig(name, in: garden)
        let own = Self.names(bytes) ?? []
        try output.write(bytes) { Self.names($0)?.isSubset(of: own) ?? false }
    }

    /// What a kubeconfig names; a file that names nothing else than a shoot's is an earlier one of it.
    ///
    /// Those of all shoots have the same names in them, so that only the API servers tell them apart.
    private static func names(_ bytes: [UInt8]) -> Set<String>? {
        guard let document = try? YAMLParser.parse(bytes).json, document["kind"] == "Config" else { return nil }
        let lists = ["clusters", "contexts", "users"].map { list in
            (document[list]?.items ?? []).map { entry in
                "\(list)/\(entry["name"]?.text ?? "")/\(entry["cluster"]?["server"]?.text ?? "")"
            }
        }
        return Set(lists.joined())
    }
}
