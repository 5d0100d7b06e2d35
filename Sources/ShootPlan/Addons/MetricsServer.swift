import ClusterModel
import TendrilCore

/// What `kubectl top` and autoscalers read.
enum MetricsServer {
    private static let name = "metrics-server"

    static func objects(_ cluster: ClusterFacts, _ pods: Addons.Pods) -> [JSONValue] {
        let role = "tendril:metrics-server"
        var objects: [JSONValue] = [
            Addons.account(name),
            Addons.role(
                role,
                [
                    PolicyRule(["get"], ["nodes/metrics", "nodes/stats"]),
                    PolicyRule(["get", "list", "watch"], ["pods", "nodes"]),
                ]
            ),
            Addons.binding(role, role: role, Addons.subject(account: name)),
            Addons.binding("\(role):delegation", role: "system:auth-delegator", Addons.subject(account: name)),
            Addons.binding(
                role,
                role: "extension-apiserver-authentication-reader",
                isLocal: true,
                Addons.subject(account: name)
            ),
            Addons.deployment(
                name,
                pods,
                replicas: pods.replicas,
                container: container(cluster),
                volumes: [["name": "temporary", "emptyDir": [:]]]
            ),
            Addons.service(name, selector: name, port: 443, target: 8443, protocols: ["TCP"], address: nil),
        ]
        // A group that nobody serves would make every client's discovery slow.
        if pods.replicas > 0 {
            objects.append(
                [
                    "apiVersion": .string(cluster.traits.apiServiceVersion), "kind": "APIService",
                    "metadata": ["name": "v1beta1.metrics.k8s.io"],
                    "spec": [
                        "group": "metrics.k8s.io", "version": "v1beta1", "groupPriorityMinimum": 100,
                        "versionPriority": 100, "insecureSkipTLSVerify": true,
                        "service": ["name": .string(name), "namespace": .string(Addons.namespace)],
                    ],
                ]
            )
        }
        return objects
    }

    private static func container(_ cluster: ClusterFacts) -> JSONValue {
        [
            "name": .string(name),
            "image": .string(cluster.kubernetesImage(tagged: cluster.traits.metricsServer)),
            "imagePullPolicy": "IfNotPresent",
            "args": [
                "--secure-port=8443", "--cert-dir=/tmp", "--kubelet-preferred-address-types=InternalIP",
                "--kubelet-insecure-tls", "--metric-resolution=30s",
            ],
            "resources": ["requests": ["cpu": "50m", "memory": "60Mi"]],
            "readinessProbe": ["httpGet": ["path": "/readyz", "port": 8443, "scheme": "HTTPS"]],
            "securityContext": Confinement.container(user: 65532),
            "volumeMounts": [["name": "temporary", "mountPath": "/tmp"]],
        ]
    }
}
