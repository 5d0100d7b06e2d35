internal import ClusterModel
internal import FoundationEssentials
internal import KubernetesClient
internal import ShootPlan
internal import TendrilCore

/// What people come with: a kubeconfig of short life beside the Shoot.
enum AccessTask {
    static func make(_ work: ShootWork) -> ShootTask {
        ShootTask(
            name: TaskName.access,
            title: "Handing out the kubeconfig",
            after: [TaskName.apiAnswers],
            inputs: { records in ["certificates": records[TaskName.certificates] ?? .null] },
            perform: { _ in
                let kubeconfig = try await work.secret(LeafPlan.people)[SecretKey.kubeconfig] ?? []
                try await work.garden.serverSideApply(
                    [
                        "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
                        "metadata": [
                            "name": .string(Shoot.kubeconfigSecret(of: work.shoot.name)),
                            "namespace": .string(work.shoot.namespace),
                            "labels": Ownership.renderedLabels,
                        ],
                        "data": ["kubeconfig": .string(Data(kubeconfig).base64EncodedString())],
                    ],
                    manager: Ownership.manager
                )
                return [:]
            }
        )
    }
}
