import ClusterModel
import TendrilCore

/// The Kubernetes dashboard, for those who ask for it; it is reached through `kubectl port-forward`.
enum Dashboard {
    private static let name = "kubernetes-dashboard"

    static func objects(_ cluster: ClusterFacts, _ pods: Addons.Pods) -> [JSONValue] {
        let role = "tendril:dashboard"
        let secrets = ["certs", "csrf", "key-holder"].map { "\(name)-\($0)" }
        var objects = [Addons.account(name)]
        objects += secrets.map { secret -> JSONValue in
            ["apiVersion": "v1", "kind": "Secret", "metadata": Addons.metadata(secret), "type": "Opaque"]
        }
        objects += [
            Addons.role(
                role,
                isLocal: true,
                [
                    PolicyRule(["get", "update", "delete"], ["secrets"], names: secrets),
                    PolicyRule(["get", "update"], ["configmaps"], names: ["\(name)-settings"]),
                ]
            ),
            Addons.binding(role, role: role, isLocal: true, Addons.subject(account: name)),
            Addons.deployment(
                name,
                pods,
                replicas: pods.replicas,
                container: container(cluster),
                volumes: [["name": "temporary", "emptyDir": [:]], ["name": "certificates", "emptyDir": [:]]]
            ),
            Addons.service(name, selector: name, port: 443, target: 8443, protocols: ["TCP"], address: nil),
        ]
        return objects
    }

    private static func container(_ cluster: ClusterFacts) -> JSONValue {
        [
            "name": .string(name), "image": .string("\(cluster.images.dashboard)/\(cluster.traits.dashboard)"),
            "imagePullPolicy": "IfNotPresent",
            "args": ["--auto-generate-certificates", "--namespace=kube-system"],
            "resources": ["requests": ["cpu": "20m", "memory": "60Mi"]],
            "securityContext": Confinement.container(user: 1001),
            "volumeMounts": [
                ["name": "temporary", "mountPath": "/tmp"], ["name": "certificates", "mountPath": "/certs"],
            ],
        ]
    }
}
