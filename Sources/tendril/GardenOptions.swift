import ArgumentParser
import CommandSupport
import FoundationEssentials
import HTTPTransfer
import KubernetesClient

/// Which cluster is meant.
struct ClusterOptions: ParsableArguments {
    @Option(
        name: .long,
        help: "The kubeconfig of the garden (default: KUBECONFIG, or ~/.kube/config).",
        completion: .file()
    )
    var kubeconfig: String?
    @Option(name: .long, help: "A context of the kubeconfig (default: its current one).")
    var context: String?

    /// Reads the kubeconfig: the cluster, and the namespace of its context.
    func connect() throws -> (client: KubernetesClient, namespace: String?) {
        let paths = kubeconfig.map { [$0] } ?? Kubeconfig.paths(ProcessInfo.processInfo.environment)
        return try orEnd(with: .configuration) {
            let parsed = try Kubeconfig(paths: paths, context: context)
            return (KubernetesClient(parsed, transport: try HTTPTransfer(), program: "tendril"), parsed.namespace)
        }
    }
}

/// Where the garden is, and which project is meant.
struct GardenOptions: ParsableArguments {
    @OptionGroup var cluster: ClusterOptions

    @Option(
        name: [.customShort("n"), .long, .customLong("namespace")],
        help: "The project, a namespace of the garden (default: that of the kubeconfig's context, or default)."
    )
    var project: String?

    /// Reads the kubeconfig.
    func garden() throws -> Garden {
        let (client, namespace) = try cluster.connect()
        return Garden(client: client, project: project ?? namespace ?? "default")
    }
}

/// Whether a command stays until what it asked for is there.
struct WaitOptions: ParsableArguments {
    @Flag(name: .long, inversion: .prefixedNo, help: "Wait until it is done, and say how far it is.")
    var wait = true
}

/// What is said of a shoot that changes, and for how long.
struct FollowOptions: ParsableArguments {
    @OptionGroup var waiting: WaitOptions
    @Option(name: .shortAndLong, help: "table: how far it is; json, yaml: the whole Shoot, again for each change.")
    var output = OutputFormat.table
}
