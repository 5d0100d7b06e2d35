internal import ClusterModel
package import TendrilCore

/// What a control plane keeps.
extension ControlPlane {
    /// etcd with a volume that outlives it.
    package static func etcd(_ cluster: ClusterFacts, digests: [String: String]) -> [JSONValue] {
        var secrets = SecretMounts()
        let command = EtcdMember.command(cluster, &secrets)
        var claim: [String: JSONValue] = [
            "accessModes": ["ReadWriteOnce"], "resources": ["requests": ["storage": "10Gi"]],
        ]
        if let storage = cluster.seed.storageClassName { claim["storageClassName"] = .string(storage) }
        return [
            [
                "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": PodParts.metadata(cluster, "etcd"),
                "spec": [
                    "replicas": .integer(cluster.isHibernated ? 0 : 1), "serviceName": "etcd",
                    // A pod that never gets ready gives way to a template that mends it (kubernetes/kubernetes#67250).
                    "podManagementPolicy": "Parallel",
                    "selector": ["matchLabels": PodParts.selector(cluster, "etcd")],
                    "template": PodParts.template(
                        cluster,
                        "etcd",
                        containers: [container(cluster, command, secrets)],
                        secrets: secrets,
                        // It reads its certificate and key anew for each connection (from 3.2 on, client/pkg/transport), but
                        // the CA once.
                        digests: digests.filter { $0.key != LeafName.etcdServer.rawValue },
                        isAlone: true
                    ),
                    "volumeClaimTemplates": [["metadata": ["name": "data"], "spec": .object(claim)]],
                ],
            ]
        ]
    }

    private static func container(_ cluster: ClusterFacts, _ command: [String], _ secrets: SecretMounts) -> JSONValue {
        func probe(_ question: JSONValue, period: Int, failures: Int) -> JSONValue {
            question.merging([
                "periodSeconds": .integer(period), "failureThreshold": .integer(failures), "timeoutSeconds": 5,
            ])
        }
        return PodParts.container(
            "etcd",
            image: cluster.kubernetesImage(tagged: cluster.traits.etcd),
            command: command,
            secrets: secrets,
            requests: ("50m", "150Mi"),
            with: [
                "volumeMounts": [EtcdMember.mount], "ports": PodParts.etcdMetricsPorts,
                // While it is defragmented it answers nobody.
                "livenessProbe": PodParts.patient(probe(cluster.traits.etcdLiveness, period: 10, failures: 12)),
                "readinessProbe": probe(KubernetesTraits.etcdReadiness, period: 1, failures: 6),
            ]
        )
    }
}
