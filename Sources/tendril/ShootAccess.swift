import ArgumentParser
import ClusterModel
import CommandSupport
import HTTPModel
import HTTPTransfer
import KubernetesClient
import TendrilCore

/// A shoot's own API, as its owner comes into it.
struct ShootAccess {
    /// The Secret beside a Shoot that holds its kubeconfig.
    static func secret(_ name: String) -> String { "\(name).kubeconfig" }

    let client: KubernetesClient

    /// Fetches the kubeconfig of a shoot.
    init(_ name: String, in garden: Garden) async throws {
        let bytes = try await Self.kubeconfig(name, in: garden)
        do {
            let kubeconfig = try Kubeconfig(remote: bytes)
            client = KubernetesClient(
                servers: [kubeconfig.server],
                security: kubeconfig.security,
                transport: try HTTPTransfer(),
                agent: "tendril/\(Version.text)"
            )
        } catch {
            throw Failure(error, exitCode: .configuration)
        }
    }

    /// The kubeconfig as it stands in the garden.
    static func kubeconfig(_ name: String, in garden: Garden) async throws -> [UInt8] {
        let secret = try await answered { () async throws(APIError) in
            try await garden.client.get(KubernetesSecret.self, Self.secret(name), namespace: garden.project)
        }
        guard let bytes = secret["kubeconfig"] else {
            let reason = "the Secret \(Self.secret(name)) holds no kubeconfig"
            throw Failure(TextError(description: reason), exitCode: .unavailable)
        }
        return bytes
    }
}

/// Which shoot is looked into, and how what is seen is shown.
struct ShootStatusOptions: ParsableArguments {
    @OptionGroup var garden: GardenOptions
    @Argument(help: "The shoot's name.")
    var name: String
    @Option(name: .shortAndLong, help: "table, json or yaml.")
    var output = OutputFormat.table

    /// Asks the shoot's API; an error of it ends the program in its own words.
    func ask<Value>(_ request: (KubernetesClient) async throws(APIError) -> Value) async throws -> (
        Value, shoot: KubernetesClient
    ) {
        let garden = try garden.garden()
        let shoot = try await ShootAccess(name, in: garden).client
        let value = try await answered { () async throws(APIError) in try await request(shoot) }
        return (value, shoot)
    }
}
