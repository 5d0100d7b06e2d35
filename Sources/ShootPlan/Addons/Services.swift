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
        let container: JSONValue = [
            "name": .string(name), "image": .string(cluster.kubernetesImage(tagged: cluster.traits.coreDNS)),
            "args": ["-conf", "/etc/coredns/Corefile"], "imagePullPolicy": "IfNotPresent",
            "resources": ["requests": ["cpu": "50m", "memory": "30Mi"], "limits": ["memory": "500Mi"]],
            "readinessProbe": ["httpGet": ["path": "/ready", "port": 8181]],
            "livenessProbe": ["httpGet": ["path": "/health", "port": 8080], "failureThreshold": 5],
            // From 1.11 on the official image's program carries this capability, and without it cannot be started
            // (coredns/coredns, Dockerfile).
            "securityContext": Addons.restricted(user: 65532, adding: ["NET_BIND_SERVICE"]),
            "volumeMounts": [["name": "configuration", "mountPath": "/etc/coredns", "readOnly": true]],
        ]
        let role = "tendril:coredns"
        return [
            Addons.account(name),
            Addons.role(
                role,
                [
                    [
                        "apiGroups": [""], "resources": ["endpoints", "services", "pods", "namespaces"],
                        "verbs": ["list", "watch"],
                    ],
                    [
                        "apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"],
                        "verbs": ["list", "watch"],
                    ],
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
                container: container,
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
                "spec": ["maxUnavailable": 1, "selector": ["matchLabels": ["k8s-app": .string(name)]]],
            ],
        ]
    }
}

/// What `kubectl top` and autoscalers read.
enum MetricsServer {
    private static let name = "metrics-server"

    static func objects(_ cluster: ClusterFacts, _ pods: Addons.Pods) -> [JSONValue] {
        let container: JSONValue = [
            "name": .string(name),
            "image": .string(cluster.kubernetesImage(tagged: cluster.traits.metricsServer)),
            "imagePullPolicy": "IfNotPresent",
            "args": [
                "--secure-port=8443", "--cert-dir=/tmp", "--kubelet-preferred-address-types=InternalIP",
                "--kubelet-insecure-tls", "--metric-resolution=30s",
            ],
            "resources": ["requests": ["cpu": "50m", "memory": "60Mi"]],
            "readinessProbe": ["httpGet": ["path": "/readyz", "port": 8443, "scheme": "HTTPS"]],
            "securityContext": Addons.restricted(user: 65532),
            "volumeMounts": [["name": "temporary", "mountPath": "/tmp"]],
        ]
        let role = "tendril:metrics-server"
        var objects: [JSONValue] = [
            Addons.account(name),
            Addons.role(
                role,
                [
                    ["apiGroups": [""], "resources": ["nodes/metrics", "nodes/stats"], "verbs": ["get"]],
                    ["apiGroups": [""], "resources": ["pods", "nodes"], "verbs": ["get", "list", "watch"]],
                ]
            ),
            Addons.binding(role, role: role, Addons.subject(account: name)),
            Addons.binding("\(role):delegation", role: "system:auth-delegator", Addons.subject(account: name)),
            Addons.localBinding(
                role,
                role: "extension-apiserver-authentication-reader",
                Addons.subject(account: name)
            ),
            Addons.deployment(
                name,
                pods,
                replicas: pods.replicas,
                container: container,
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
}

/// The Kubernetes dashboard, for those who ask for it; it is reached through `kubectl port-forward`.
enum Dashboard {
    private static let name = "kubernetes-dashboard"

    static func objects(_ cluster: ClusterFacts, _ pods: Addons.Pods) -> [JSONValue] {
        let container: JSONValue = [
            "name": .string(name), "image": .string("\(cluster.images.dashboard)/\(cluster.traits.dashboard)"),
            "imagePullPolicy": "IfNotPresent",
            "args": ["--auto-generate-certificates", "--namespace=kube-system"],
            "resources": ["requests": ["cpu": "20m", "memory": "60Mi"]],
            "securityContext": Addons.restricted(user: 1001),
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
