import ArgumentParser
import ClusterModel
import CommandSupport
import HTTPTransfer
import KubernetesClient
import ShootPlan
import TendrilCore

/// A shoot's own API, as its owner comes into it.
struct ShootAccess {
    let client: KubernetesClient

    /// Fetches the kubeconfig of a shoot.
    init(_ name: String, in garden: Garden) async throws {
        let bytes = try await Self.kubeconfig(name, in: garden)
        client = try orEnd(with: .configuration) {
            KubernetesClient(try Kubeconfig(remote: bytes), transport: try HTTPTransfer(), program: "tendril")
        }
    }

    /// The kubeconfig as it stands in the garden.
    static func kubeconfig(_ name: String, in garden: Garden) async throws -> [UInt8] {
        let secretName = Shoot.kubeconfigSecret(of: name)
        let secret = try await answered { () async throws(APIError) in
            try await garden.client.find(KubernetesSecret.self, secretName, namespace: garden.project)
        }
        guard let secret else {
            let state = try await obstacle(name, in: garden) ?? "see how far it is: tendril shoot get \(name) --watch"
            let reason = "shoot \(name) has no kubeconfig yet: \(state)"
            throw Failure(reason, exitCode: .unavailable)
        }
        guard let bytes = secret["kubeconfig"] else {
            let reason = "the Secret \(secretName) holds no kubeconfig"
            throw Failure(reason, exitCode: .unavailable)
        }
        return bytes
    }

    /// What keeps people out of a shoot as its status says it; `nil` where that says nothing.
    static func obstacle(_ name: String, in garden: Garden) async throws -> String? {
        let shoot = try await garden.shoot(name)
        if shoot.isHibernated { return "it sleeps; wake it up: tendril shoot wake \(name)" }
        return shoot.pauseNotice
    }
}

/// Which shoot is looked into, and how what is seen is shown.
struct ShootStatusOptions: ParsableArguments {
    @OptionGroup var garden: GardenOptions
    @Argument(help: "The shoot's name.")
    var name: String
    @Option(name: .shortAndLong, help: "table, json or yaml.")
    var output = OutputFormat.table

    /// Asks the shoot's API; an error of it ends the program in its own words, as far as they are printable.
    ///
    /// - Parameter request: asks it.
    /// - Returns: the answer, the shoot as the garden has it, and its API.
    /// - Throws: `Failure`.
    func ask<Value>(_ request: (KubernetesClient) async throws(APIError) -> Value) async throws -> (
        answer: Value, shoot: Shoot, client: KubernetesClient
    ) {
        let garden = try garden.garden()
        let client = try await ShootAccess(name, in: garden).client
        let answer: Value
        do throws(APIError) {
            answer = try await request(client)
        } catch {
            let obstacle = try await ShootAccess.obstacle(name, in: garden).map { "; \($0)" } ?? ""
            let reason = PrintableText.make("\(error)\(obstacle)".utf8)
            throw Failure(reason, exitCode: .unavailable)
        }
        return (answer, try await garden.shoot(name), client)
    }
}
