import ArgumentParser
import CommandSupport
import Glibc
import LinuxSystem
import NodePlan
import StrictYAML

extension UserData.Format: ExpressibleByArgument {}

/// The command `tendril-agent user-data`.
struct UserDataCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "user-data",
        abstract: "Render the user data of a pool's machines, or of one machine.",
        discussion: "The output holds the bootstrap token: keep it from others' eyes."
    )

    @Option(name: .long, help: "A UserData document in YAML; - reads standard input.", completion: .file())
    var config: String

    @Option(name: .long, help: "cloud-config or ignition.")
    var format = UserData.Format.cloudConfig

    @OptionGroup var output: SecretOutput

    func run() throws {
        let bytes = try orEnd(with: .configuration) {
            let document = try DurableFile.read(config == "-" ? "/dev/stdin" : config)
            let configuration = try StrictDecoder.decode(UserDataConfiguration.self, from: document, judge: \.problems)
            return try UserData.render(configuration, as: format, unit: AgentUnit.text)
        }
        try output.write(bytes)
    }
}
