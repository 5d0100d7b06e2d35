internal import ClusterModel
package import TendrilCore

/// Where a control plane lives, and with whom it may speak.
extension ControlPlane {
    /// The namespace, closed to all that is not said to be open.
    ///
    /// - Parameters:
    ///   - cluster: whose it is.
    ///   - project: of the Shoot.
    ///   - name: of the Shoot.
    ///   - uid: of the Shoot, as the garden's API server gave it.
    /// - Returns: the objects, the namespace first.
    package static func namespace(_ cluster: ClusterFacts, project: String, name: String, uid: String?) -> [JSONValue] {
        let notes: JSONValue = uid.map { [Ownership.shootUID: .string($0)] } ?? [:]
        let namespace: JSONValue = [
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": [
                "name": .string(cluster.id), "annotations": notes,
                "labels": Ownership.renderedLabels.merging([
                    "tendril.dev/shoot": .string(name), "tendril.dev/project": .string(project),
                    "pod-security.kubernetes.io/enforce": "restricted",
                ]),
            ],
        ]
        // More than a control plane ever has, while all of it rolls and is exchanged; a fault is not to fill the seed.
        let quota: JSONValue = [
            "apiVersion": "v1", "kind": "ResourceQuota",
            "metadata": PodParts.metadata(cluster, "control-plane"),
            "spec": [
                "hard": [
                    "pods": "60", "services": "10", "services.loadbalancers": "2", "persistentvolumeclaims": "5",
                    "secrets": "200", "configmaps": "50",
                ]
            ],
        ]
        return [namespace, quota] + policies(cluster)
    }

    /// Whom its pods may speak with, and who with them.
    private static func policies(_ cluster: ClusterFacts) -> [JSONValue] {
        let everywhere: JSONValue = [:]
        func policy(_ name: String, _ spec: JSONValue) -> JSONValue {
            [
                "apiVersion": .string(cluster.seedTraits.networkPolicyVersion), "kind": "NetworkPolicy",
                "metadata": PodParts.metadata(cluster, name), "spec": spec,
            ]
        }
        let own: JSONValue = [["podSelector": [:]]]
        return [
            policy("default-deny", ["podSelector": everywhere, "policyTypes": ["Ingress", "Egress"]]),
            policy(
                "own-namespace",
                [
                    "podSelector": everywhere, "policyTypes": ["Ingress", "Egress"], "ingress": [["from": own]],
                    "egress": [["to": own]],
                ]
            ),
            policy(
                "front-door",
                [
                    "podSelector": ["matchLabels": PodParts.selector(cluster, "kube-apiserver")],
                    "policyTypes": ["Ingress"],
                    "ingress": [["ports": [["port": 6443, "protocol": "TCP"], ["port": 8132, "protocol": "TCP"]]]],
                ]
            ),
            policy(
                "metrics",
                [
                    "podSelector": everywhere, "policyTypes": ["Ingress"],
                    "ingress": [
                        [
                            "from": [["namespaceSelector": ["matchLabels": ["tendril.dev/monitoring": "true"]]]],
                            "ports": [
                                ["port": .integer(PodParts.metricsPort), "protocol": "TCP"],
                                ["port": .integer(PodParts.etcdMetricsPort), "protocol": "TCP"],
                            ],
                        ]
                    ],
                ]
            ),
            // An earlier release let everybody ask for names anywhere by this one; a later one may do without it.
            policy("names", ["podSelector": everywhere, "policyTypes": ["Egress"], "egress": []]),
        ]
    }
}
