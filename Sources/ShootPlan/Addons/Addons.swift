internal import ClusterModel
package import TendrilCore

/// Renders what runs in the shoot's kube-system.
package enum Addons {
    /// An add-on: its objects, and why it does not run although it is wanted.
    package struct Addon: Sendable {
        package let name: String
        package let objects: [JSONValue]
        /// The workload to wait for: `daemonsets/kube-proxy`; `nil` where nothing runs.
        package let workload: String?
        /// Whether nothing runs, for its image is not at hand.
        package let isLeftOut: Bool
    }

    static let namespace = "kube-system"

    /// Every add-on that the shoot wants.
    ///
    /// - Parameters:
    ///   - cluster: the shoot.
    ///   - kubeProxy: fields of KubeProxyConfiguration that override ours.
    ///   - kubeconfig: kube-proxy's, in base64.
    ///   - digest: of that kubeconfig, and of what else pods read once: a new one makes new pods.
    /// - Returns: the add-ons with their objects.
    /// - Throws: where a value cannot be encoded.
    package static func all(_ cluster: ClusterFacts, kubeProxy: JSONValue, kubeconfig: String, digest: String) throws
        -> [Addon]
    {
        var addons: [Addon] = []
        func add(_ name: String, _ workload: String, _ objects: [JSONValue], isMissing: Bool = false) {
            addons.append(
                Addon(name: name, objects: objects, workload: isMissing ? nil : workload, isLeftOut: isMissing)
            )
        }
        func addPods(_ name: String, _ workload: String, _ objects: (ClusterFacts, Pods) -> [JSONValue]) {
            let isMissing = cluster.images.missing?.contains(name) ?? false
            let pods = Pods(cluster, digest: digest, isMissing: isMissing)
            add(name, "deployments/\(workload)", objects(cluster, pods), isMissing: isMissing)
        }
        if cluster.spec.addons.kubeProxy {
            let objects = try KubeProxy.objects(
                cluster,
                configuration: kubeProxy,
                kubeconfig: kubeconfig,
                digest: digest
            )
            add(KubeProxy.name, "daemonsets/\(KubeProxy.name)", objects)
        }
        if cluster.spec.networking.type.isOurs {
            add("routes", "daemonsets/\(PodNetwork.name)", PodNetwork.objects(cluster, digest: digest))
        }
        let wanted = cluster.spec.addons
        if wanted.dns { addPods("coredns", "coredns", DNS.objects) }
        if wanted.metrics { addPods("metrics-server", "metrics-server", MetricsServer.objects) }
        if wanted.dashboard { addPods("dashboard", "kubernetes-dashboard", Dashboard.objects) }
        return addons
    }

    /// What the control plane needs in the shoot besides add-ons.
    package static func system(_ cluster: ClusterFacts, gateKey: String) -> [JSONValue] {
        let reader = CredentialPlan.nodesReader
        return [
            // The API server reads logs and runs commands through kubelets.
            binding(
                "tendril:kubelet-api-admin",
                role: "system:kubelet-api-admin",
                subject(user: CredentialPlan.kubeletsUser)
            ),
            role(reader, [PolicyRule(["list", "watch"], ["nodes"])]),
            binding(reader, role: reader, subject(user: reader)),
            [
                "apiVersion": "v1", "kind": "Secret",
                "metadata": metadata(NodeRendering.gateSecret), "data": [NodeRendering.gateKey: .string(gateKey)],
            ],
            // Where pods find the API server: an address of their own node, on which the tunnel's client listens.
            [
                "apiVersion": "v1", "kind": "Endpoints",
                "metadata": ["name": "kubernetes", "namespace": "default", "labels": Ownership.renderedLabels],
                "subsets": [
                    [
                        "addresses": [["ip": .string(ReservedNetwork.apiServer)]],
                        "ports": [["name": "https", "port": 6443, "protocol": "TCP"]],
                    ]
                ],
            ],
        ]
    }

    static func metadata(_ name: String) -> JSONValue {
        [
            "name": .string(name), "namespace": .string(namespace),
            "labels": Ownership.renderedLabels.merging(labels(name)),
        ]
    }

    /// By what the pods of an add-on are found.
    static func labels(_ name: String) -> JSONValue { ["k8s-app": .string(name)] }

    /// What the pods of an add-on have in common with those of others.
    struct Pods {
        /// None where the image is not at hand.
        let replicas: Int
        /// More where one node that goes must not take the last.
        let replicasAcrossNodes: Int
        /// What the cluster's CA and credentials are: client libraries read a CA once, so that another one needs new pods.
        let digest: String
        let tolerations: JSONValue

        init(_ cluster: ClusterFacts, digest: String, isMissing: Bool) {
            replicas = isMissing ? 0 : 1
            let nodes = cluster.spec.workers.reduce(0) { min($0 + $1.maximum, 2) }
            replicasAcrossNodes = isMissing ? 0 : max(nodes, 1)
            self.digest = digest
            tolerations = .array([["key": "CriticalAddonsOnly", "operator": "Exists"]] + Self.tolerations(cluster))
        }

        /// Where no pool takes everybody, add-ons go to all of them.
        private static func tolerations(_ cluster: ClusterFacts) -> [JSONValue] {
            let taints = cluster.spec.workers.filter { $0.maximum > 0 }
                .map { ($0.taints ?? []).filter { $0.effect != "PreferNoSchedule" } }
            guard !taints.contains(where: \.isEmpty) else { return [] }
            let keys = Set(taints.joined().map { [$0.key, $0.effect] }).sorted { $0.joined() < $1.joined() }
            return keys.map { ["key": .string($0[0]), "operator": "Exists", "effect": .string($0[1])] }
        }
    }

    /// A pod of this on every node; `notes` change what is to be new pods.
    static func daemonSet(_ name: String, notes: JSONValue, pod: JSONValue) -> JSONValue {
        let labels = labels(name)
        return [
            "apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": metadata(name),
            "spec": [
                "selector": ["matchLabels": labels], "updateStrategy": ["type": "RollingUpdate"],
                "template": ["metadata": ["labels": labels, "annotations": notes], "spec": pod],
            ],
        ]
    }

    /// A Deployment of one container; a new pod is ready before an old one ends.
    static func deployment(
        _ name: String,
        _ pods: Pods,
        replicas: Int,
        container: JSONValue,
        volumes: JSONValue = [],
        dnsPolicy: String = "ClusterFirst"
    ) -> JSONValue {
        let labels = labels(name)
        let critical: JSONValue = ["priorityClassName": "system-cluster-critical", "serviceAccountName": .string(name)]
        var pod = critical.merging([
            "tolerations": pods.tolerations, "volumes": volumes, "containers": .array([container]),
            "dnsPolicy": .string(dnsPolicy),
            "securityContext": Confinement.pod,
        ])
        if replicas > 1 {
            let apart = SpreadConstraints.across(["kubernetes.io/hostname"], labels)
            pod = pod.merging(["topologySpreadConstraints": apart])
        }
        return [
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata(name),
            "spec": [
                "replicas": .integer(replicas), "selector": ["matchLabels": labels],
                "strategy": ["type": "RollingUpdate", "rollingUpdate": ["maxUnavailable": 0, "maxSurge": 1]],
                "template": [
                    "metadata": ["labels": labels, "annotations": [PodParts.secretsNote: .string(pods.digest)]],
                    "spec": pod,
                ],
            ],
        ]
    }

    static func service(_ name: String, selector: String, port: Int, target: Int, protocols: [String], address: String?)
        -> JSONValue
    {
        var spec: [String: JSONValue] = [
            "selector": labels(selector),
            "ports": .array(
                protocols.map { name in
                    [
                        "name": .string("p-\(name.lowercased())"), "port": .integer(port),
                        "targetPort": .integer(target), "protocol": .string(name),
                    ]
                }
            ),
        ]
        if let address { spec["clusterIP"] = .string(address) }
        return ["apiVersion": "v1", "kind": "Service", "metadata": metadata(name), "spec": .object(spec)]
    }
}
