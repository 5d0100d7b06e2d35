import TendrilCore

/// The Kubernetes dashboard, for those who ask for it; it is reached through `kubectl port-forward`.
enum Dashboard {
    private static let name = "kubernetes-dashboard"

    static func objects(_ cluster: ClusterFacts, _ pods: Addons.Pods) -> [JSONValue] {
        let container: JSONValue = [
            "name": .string(name), "image": .string("\(cluster.images.dashboard)/\(cluster.traits.dashboard)"),
            "imagePullPolicy": "IfNotPresent",
            "args": ["--auto-generate-certificates", "--namespace=kube-system"],
            "resources": ["requests": ["cpu": "20m", "memory": "60Mi"]],
            "securityContext": Confinement.container(user: 1001),
            "volumeMounts": [
                ["name": "temporary", "mountPath": "/tmp"], ["name": "certificates", "mountPath": "/certs"],
            ],
        ]
        let role = "tendril:dashboard"
        func secret(_ name: String) -> JSONValue {
            ["apiVersion": "v1", "kind": "Secret", "metadata": Addons.metadata(name), "type": "Opaque"]
        }
        return [
            Addons.account(name), secret("kubernetes-dashboard-certs"), secret("kubernetes-dashboard-csrf"),
            secret("kubernetes-dashboard-key-holder"),
            Addons.localRole(
                role,
                [
                    [
                        "apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "update", "delete"],
                        "resourceNames": [
                            "kubernetes-dashboard-certs", "kubernetes-dashboard-csrf",
                            "kubernetes-dashboard-key-holder",
                        ],
                    ],
                    [
                        "apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "update"],
                        "resourceNames": ["kubernetes-dashboard-settings"],
                    ],
                ]
            ),
            Addons.localBinding(role, role: role, Addons.subject(account: name)),
            Addons.deployment(
                name,
                pods,
                replicas: pods.replicas,
                container: container,
                volumes: [["name": "temporary", "emptyDir": [:]], ["name": "certificates", "emptyDir": [:]]]
            ),
            Addons.service(name, selector: name, port: 443, target: 8443, protocols: ["TCP"], address: nil),
        ]
    }
}
