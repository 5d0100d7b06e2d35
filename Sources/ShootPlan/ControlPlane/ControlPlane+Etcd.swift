internal import ClusterModel
package import TendrilCore

/// What a control plane keeps.
extension ControlPlane {
    /// etcd with a volume that outlives it.
    package static func etcd(_ cluster: ClusterFacts, digests: [String: String]) -> [JSONValue] {
        let secrets = ["etcd-server", "ca-etcd-bundle"]
        let (server, ca) = (PodParts.path("etcd-server", "tls"), PodParts.path("ca-etcd-bundle", "ca.crt"))
        let command = [
            "etcd", EtcdMember.name, "--data-dir=\(EtcdMember.data)", "--listen-client-urls=https://0.0.0.0:2379",
            "--advertise-client-urls=https://etcd.\(cluster.id).svc:2379",
            "--listen-peer-urls=\(EtcdMember.peerURL)", EtcdMember.peerURLs, EtcdMember.cluster,
            "--listen-metrics-urls=http://0.0.0.0:\(PodParts.etcdMetricsPort)",
            "--client-cert-auth", "--trusted-ca-file=\(ca)", "--cert-file=\(server).crt", "--key-file=\(server).key",
            "--auto-compaction-mode=periodic", "--auto-compaction-retention=30m", EtcdQuota.argument,
        ]
        func probe(_ question: JSONValue, period: Int, failures: Int) -> JSONValue {
            question.merging([
                "periodSeconds": .integer(period), "failureThreshold": .integer(failures), "timeoutSeconds": 5,
            ])
        }
        let container = PodParts.container(
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
                        containers: [container],
                        secrets: secrets,
                        // It reads its certificate and key anew for each connection (from 3.2 on, client/pkg/transport), but
                        // the CA once.
                        digests: digests.filter { $0.key != "etcd-server" },
                        isAlone: true
                    ),
                    "volumeClaimTemplates": [["metadata": ["name": "data"], "spec": .object(claim)]],
                ],
            ]
        ]
    }
}
