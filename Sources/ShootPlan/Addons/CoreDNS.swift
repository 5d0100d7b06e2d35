import ClusterModel
import TendrilCore

/// The cluster's DNS.
enum DNS {
    private static let name = "coredns"
    private static let corefile = """
        .:8053 {
            errors
            health :8080 {
                lameduck 5s
            }
            ready :8181
            kubernetes cluster.local in-addr.arpa ip6.arpa {
                fallthrough in-addr.arpa ip6.arpa
            }
            prometheus :9153
            forward . /etc/resolv.conf
            cache 30
            loop
            reload
            loadbalance
        }

        """

    static func objects(_ cluster: ClusterFacts, _ pods: Addons.Pods) -> [JSONValue] {
        let role = "tendril:coredns"
        return [
            Addons.account(name),
            Addons.role(
                role,
                [
                    PolicyRule(["list", "watch"], ["endpoints", "services", "pods", "namespaces"]),
                    PolicyRule(["list", "watch"], ["endpointslices"], group: "discovery.k8s.io"),
                ]
            ),
            Addons.binding(role, role: role, Addons.subject(account: name)),
            [
                "apiVersion": "v1", "kind": "ConfigMap", "metadata": Addons.metadata(name),
                "data": ["Corefile": .string(corefile)],
            ],
            Addons.deployment(
                name,
                pods,
                replicas: pods.replicasAcrossNodes,
                container: container(cluster),
                volumes: [["name": "configuration", "configMap": ["name": .string(name)]]],
                // Names outside the cluster are asked where the node asks: its own Service would be a circle.
                dnsPolicy: "Default"
            ),
            Addons.service(
                "kube-dns",
                selector: name,
                port: 53,
                target: 8053,
                protocols: ["UDP", "TCP"],
                // Which kubelets tell their pods.
                address: cluster.serviceAddress(10).map { "\($0)" }
            ),
            [
                "apiVersion": .string(cluster.traits.budgetVersion), "kind": "PodDisruptionBudget",
                "metadata": Addons.metadata(name),
                "spec": ["maxUnavailable": 1, "selector": ["matchLabels": Addons.labels(name)]],
            ],
        ]
    }

    private static func container(_ cluster: ClusterFacts) -> JSONValue {
        [
            "name": .string(name), "image": .string(cluster.kubernetesImage(tagged: cluster.traits.coreDNS)),
            "args": ["-conf", "/etc/coredns/Corefile"], "imagePullPolicy": "IfNotPresent",
            "resources": ["requests": ["cpu": "50m", "memory": "30Mi"], "limits": ["memory": "500Mi"]],
            "readinessProbe": ["httpGet": ["path": "/ready", "port": 8181]],
            "livenessProbe": ["httpGet": ["path": "/health", "port": 8080], "failureThreshold": 5],
            // From 1.11 on the official image's program carries this capability, and without it cannot be started
            // (coredns/coredns, Dockerfile).
            "securityContext": Confinement.container(user: 65532, adding: ["NET_BIND_SERVICE"]),
            "volumeMounts": [["name": "configuration", "mountPath": "/etc/coredns", "readOnly": true]],
        ]
    }
}
