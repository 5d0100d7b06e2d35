import ArgumentParser
import ClusterModel
import CommandSupport
import KubernetesClient
import LinuxSystem
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
    @Option(name: .long, help: "The file to write, with mode 0600 (default: standard output).")
    var out: String?

    func run() async throws {
        let garden = try options.garden()
        let bytes = try await ShootAccess.kubeconfig(name, in: garden)
        do {
            if let out {
                try DurableFile.write(bytes, to: out, mode: 0o600)
            } else {
                print(String(decoding: bytes, as: UTF8.self), terminator: "")
            }
        } catch {
            throw Failure(error, exitCode: .operatingSystem)
        }
    }
}
