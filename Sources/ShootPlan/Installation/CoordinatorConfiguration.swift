internal import ClusterModel
internal import NodePlan
package import TendrilCore

/// coordinator.tendril.dev/v1alpha1 CoordinatorConfiguration: which seed it serves, and what it makes shoots of.
package struct CoordinatorConfiguration: Codable, Hashable, Sendable {
    package static let apiVersion = "coordinator.tendril.dev/v1alpha1"
    package static let kind = "CoordinatorConfiguration"
    package static let defaultNamespace = "tendril-system"

    /// Terraform or OpenTofu.
    package struct Terraform: Codable, Hashable, Sendable {
        /// An absolute path.
        package var program: String
        /// A directory that survives restarts only as a cache; the state is kept in the seed.
        package var workspace: String
        /// The program's own configuration file (TF_CLI_CONFIG_FILE), where mirrors are named.
        package var configuration: String?
        /// The URL of every service of the cloud, for simulators.
        package var endpoint: String?
    }

    /// The server that the garden's API server asks about Shoots.
    package struct Webhook: Codable, Hashable, Sendable {
        /// `ADDRESS:PORT`.
        package var listen: String
        /// A file in PEM.
        package var certificate: String
        /// A file in PEM.
        package var key: String
    }

    package var apiVersion: String
    package var kind: String
    /// The name of the Seed object that stands for the cluster it runs in.
    package var seed: String
    /// The kubeconfig of the garden; the seed itself where it is missing.
    package var gardenKubeconfig: String?
    /// The kubeconfig of the seed; the pod's own where it is missing.
    package var seedKubeconfig: String?
    /// Where the coordinators of the seed see one another; `tendril-system` where it is missing.
    package var namespace: String?
    package var images: ImageSource
    package var machineImages: [MachineImage]
    /// Fields of KubeProxyConfiguration that override ours.
    package var kubeProxy: JSONValue?
    package var terraform: Terraform?
    /// How many tasks of all shoots run at the same time; 20 where it is missing.
    package var concurrency: Int?
    /// After how many minutes a shoot is looked at as a whole although nothing changed; 60 where it is missing.
    package var syncMinutes: Int?
    /// Answers the garden's API server before it stores a Shoot; nobody does where it is missing.
    package var webhook: Webhook?
    /// `ADDRESS:PORT` for metrics and health; none where it is missing.
    package var metrics: String?
    /// `trace` to `critical`; `info` where it is missing.
    package var logLevel: String?
    /// `text` or `json`; `text` where it is missing.
    package var logFormat: String?

    /// Every problem; none means that it can be used.
    package var problems: [ConfigurationProblem] {
        var problems: [ConfigurationProblem] = []
        problems.require(apiVersion == Self.apiVersion, "apiVersion", "must be \(Self.apiVersion)")
        problems.require(kind == Self.kind, "kind", "must be \(Self.kind)")
        problems.require(Endpoint.isHostName(seed), "seed", "is no DNS name")
        problems.require(namespace.map(NodeName.isLabel) ?? true, "namespace", "is no DNS label in lower case")
        let registries = [
            ("images.kubernetes", images.kubernetes), ("images.tendril", images.tendril),
            ("images.kubernetesui", images.dashboard),
        ]
        for (path, text) in registries where !ImageName.isPlace(text) {
            problems.add(path, text.isEmpty ? "is empty" : "\(text) is no registry such as registry.example/ours")
        }
        problems.require(!machineImages.isEmpty, "machineImages", "is empty")
        let names = Set(machineImages.map(\.name))
        problems.require(names.count == machineImages.count, "machineImages", "holds a name twice")
        for (index, image) in machineImages.enumerated() {
            problems += image.problems(at: "machineImages[\(index)]")
        }
        problems.require(concurrency.map { (1...1000).contains($0) } ?? true, "concurrency", "is not 1 to 1000")
        problems.require(syncMinutes.map { (1...10080).contains($0) } ?? true, "syncMinutes", "is not 1 to 10080")
        let paths = [
            ("terraform.program", terraform?.program), ("terraform.workspace", terraform?.workspace),
            ("webhook.certificate", webhook?.certificate), ("webhook.key", webhook?.key),
        ]
        for case (let path, let text?) in paths {
            problems.require(text.hasPrefix("/"), path, "is no absolute path")
        }
        for case (let path, let text?) in [("metrics", metrics), ("webhook.listen", webhook?.listen)] {
            problems.require(Endpoint(text) != nil, path, "is not ADDRESS:PORT")
        }
        problems += LogChoice.problems(level: logLevel, format: logFormat)
        return problems
    }
}
