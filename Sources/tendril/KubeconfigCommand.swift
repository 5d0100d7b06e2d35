import ArgumentParser
import ClusterModel
import CommandSupport
import KubernetesClient
import TendrilCore

/// The command `tendril kubeconfig`.
struct KubeconfigCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kubeconfig",
        abstract: "Fetch the kubeconfig of a shoot; it is good for at most a day."
    )

    @OptionGroup var options: GardenOptions
    @Argument(help: "The shoot's name.")
    var name: String
    @OptionGroup var output: SecretOutput

    func run() async throws {
        let garden = try options.garden()
        try output.write(try await ShootAccess.kubeconfig(name, in: garden))
    }
}
