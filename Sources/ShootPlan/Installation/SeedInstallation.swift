package import TendrilCore

/// What makes a cluster a garden and a seed at once: the objects of `deploy/coordinator`, with a configuration.
package struct SeedInstallation: Sendable {
    /// The files of `deploy/coordinator` in the order in which they are applied; documents are parted by lines of `---`.
    package static var texts: [String] {
        [
            PackageResources.namespace_yaml, PackageResources.access_yaml, PackageResources.priority_yaml,
            PackageResources.deployment_yaml,
        ].flatMap { String(decoding: $0, as: UTF8.self).split(separator: "\n---\n").map(String.init) }
    }

    /// Names the ConfigMap's version in the pods' template: a new configuration is a new pod.
    package static let configurationAnnotation = "tendril.dev/configuration"
    private static let clusterKinds: Set = ["Namespace", "ClusterRole", "ClusterRoleBinding", "PriorityClass"]
    private static let name = "tendril-coordinator"
    private static let gardenRole = "tendril:coordinator-garden"

    /// Of `base`, in the coordinator's namespace.
    private let placed: [JSONValue]
    private let configuration: CoordinatorConfiguration
    private let configurationText: String
    private let version: String
    private let replicas: Int

    /// Takes what `texts` say, and what is different here.
    ///
    /// - Parameters:
    ///   - base: the documents of `texts`.
    ///   - configuration: has no problems.
    ///   - text: the same as it was written.
    ///   - version: of the coordinator's image.
    ///   - replicas: how many coordinators share the seed's shoots.
    package init(
        _ base: [JSONValue],
        _ configuration: CoordinatorConfiguration,
        text: String,
        version: String,
        replicas: Int
    ) {
        (placed, self.configuration, configurationText) = (Self.placed(base), configuration, text)
        (self.version, self.replicas) = (version, replicas)
    }

    /// The namespace that all of it lives in.
    package static var namespace: String { CoordinatorConfiguration.defaultNamespace }

    /// Where the Deployment is.
    package static let deployment = "/apis/apps/v1/namespaces/\(namespace)/deployments/\(name)"
    /// Where the ConfigMap is.
    package static let configurationMap = "/api/v1/namespaces/\(namespace)/configmaps/\(name)"
    /// The key of the ConfigMap's only file.
    package static let configurationFile = "coordinator.yaml"

    /// What stands before the Deployment: namespace, rights, and the ConfigMap, which is the last of them.
    package var foundation: [JSONValue] {
        placed.filter { $0["kind"]?.text != "Deployment" } + [Self.configurationMap(configurationText)]
    }

    private static func configurationMap(_ text: String) -> JSONValue {
        [
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": ["name": .string(name), "namespace": .string(namespace)],
            "data": [configurationFile: .string(text)],
        ]
    }

    /// The registration of `tendril-coordinator manifests webhook`: without a coordinator each Shoot would wait for its answer.
    private static let webhook: JSONValue = [
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
        "metadata": ["name": .string(name)],
    ]

    /// What is taken away with the seed, in that order.
    ///
    /// - Parameters:
    ///   - base: the documents of `texts`.
    ///   - others: whether the garden has other seeds: their coordinators have accounts in this namespace, and one of these roles.
    /// - Returns: at least what makes and configures the coordinator, and lets it do something.
    package static func removed(_ base: [JSONValue], others: Bool) -> [JSONValue] {
        let all = [webhook, configurationMap("")] + placed(base).reversed()
        guard others else { return all }
        return all.filter { document in
            switch document["kind"]?.text {
            case "Namespace": false
            case "ClusterRole": document["metadata"]?["name"]?.text != gardenRole
            default: true
            }
        }
    }

    /// The coordinator itself.
    ///
    /// - Parameter configurationVersion: the `resourceVersion` of the ConfigMap.
    /// - Returns: the Deployment.
    package func workload(configurationVersion: String) -> [JSONValue] {
        placed.filter { $0["kind"]?.text == "Deployment" }.map { deployment in
            let pod = deployment["spec"]?["template"]?["spec"]
            let image = "\(configuration.images.tendril)/\(imageName):\(version)"
            let containers = (pod?["containers"]?.items ?? []).map { container in
                withTerraform(container.merging(["image": .string(image)]))
            }
            let template: JSONValue = [
                "metadata": ["annotations": .object([Self.configurationAnnotation: .string(configurationVersion)])],
                "spec": [
                    "containers": .array(containers),
                    "volumes": .array((pod?["volumes"]?.items ?? []) + places.map { $0.volume }),
                ],
            ]
            return deployment.merging(["spec": ["replicas": .integer(replicas), "template": template]])
        }
    }

    /// Which image holds all that the configuration names.
    private var imageName: String { configuration.terraform == nil ? Self.name : "\(Self.name)-terraform" }

    /// Where Terraform writes; nowhere without it.
    private var places: [(volume: JSONValue, mount: JSONValue)] {
        guard let terraform = configuration.terraform else { return [] }
        return [("workspace", terraform.workspace), ("tmp", "/tmp")].map { name, path in
            (
                ["name": .string(name), "emptyDir": [:]],
                ["name": .string(name), "mountPath": .string(path)]
            )
        }
    }

    /// A container that has what Terraform needs: each of its runs, ten at most at the same time, takes half a gigabyte.
    private func withTerraform(_ container: JSONValue) -> JSONValue {
        guard configuration.terraform != nil else { return container }
        let mounts = (container["volumeMounts"]?.items ?? []) + places.map { $0.mount }
        return container.merging(["volumeMounts": .array(mounts), "resources": ["limits": ["memory": "6Gi"]]])
    }

    /// The documents of `texts`, those that live in a namespace in the coordinator's.
    package static func placed(_ base: [JSONValue]) -> [JSONValue] {
        base.map { document in
            guard !clusterKinds.contains(document["kind"]?.text ?? "") else { return document }
            return document.merging(["metadata": ["namespace": .string(namespace)]])
        }
    }

    /// Why a configuration is not one for a coordinator in the pod of this installation.
    ///
    /// - Parameters:
    ///   - configuration: is right in itself.
    ///   - seed: the name of the Seed beside it.
    /// - Returns: the problems.
    package static func problems(_ configuration: CoordinatorConfiguration, seed: String) -> [ConfigurationProblem] {
        var problems: [ConfigurationProblem] = []
        let named = configuration.seed
        problems.require(named == seed, "seed", "is \(named), and the Seed's name is \(seed)")
        let kubeconfigs = [
            ("gardenKubeconfig", configuration.gardenKubeconfig), ("seedKubeconfig", configuration.seedKubeconfig),
        ]
        for (path, value) in kubeconfigs where value != nil {
            problems.add(path, "is for two clusters, which are installed from deploy/")
        }
        if let namespace = configuration.namespace, namespace != Self.namespace {
            problems.add("namespace", "is \(namespace), and the coordinator lives in \(Self.namespace)")
        }
        return problems
    }
}
