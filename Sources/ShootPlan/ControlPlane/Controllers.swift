import ClusterModel
import TendrilCore

/// What the controllers are told; what they are told of becomes part of the Secrets that they see.
enum Controllers {
    static func managerFlags(_ cluster: ClusterFacts, _ secrets: inout SecretMounts) -> [String] {
        func signer(_ name: String, _ authority: Authority) -> [String] {
            [
                "--cluster-signing-\(name)-cert-file=\(secrets.authority(authority))",
                "--cluster-signing-\(name)-key-file=\(secrets.authorityKey(authority))",
            ]
        }
        return shared(cluster, secrets.kubeconfig(.controllerManager)) + [
            "--controllers=*,bootstrapsigner,tokencleaner", "--use-service-account-credentials=true",
            "--service-account-private-key-file=\(secrets.file(.serviceAccount, SecretKey.signingKey))",
            "--root-ca-file=\(secrets.bundle(.cluster))", "--cluster-signing-duration=720h",
            "--allocate-node-cidrs=true", "--cluster-cidr=\(cluster.spec.networking.pods)",
            "--service-cluster-ip-range=\(cluster.spec.networking.services)", "--node-monitor-grace-period=40s",
        ] + signer("kube-apiserver-client", .client) + signer("kubelet-client", .client)
            + signer("kubelet-serving", .kubelet) + signer("legacy-unknown", .client)
    }

    static func schedulerFlags(_ cluster: ClusterFacts, _ secrets: inout SecretMounts) -> [String] {
        shared(cluster, secrets.kubeconfig(.scheduler))
    }

    /// Without a look-up of the API server's own authority it would end as long as that is not there.
    private static func shared(_ cluster: ClusterFacts, _ kubeconfig: String) -> [String] {
        [
            "--kubeconfig=\(kubeconfig)", "--authentication-kubeconfig=\(kubeconfig)",
            "--authorization-kubeconfig=\(kubeconfig)", "--authentication-tolerate-lookup-failure=true",
            "--leader-elect=\(cluster.spec.controlPlane.replicas > 1)", "--profiling=false",
        ] + FeatureGates.flags(cluster.spec.controlPlane.featureGates)
    }

    static func approverCommand(_ cluster: ClusterFacts, _ secrets: inout SecretMounts) -> [String] {
        [
            "/usr/bin/tendril-coordinator", "approver", "--kubeconfig",
            secrets.kubeconfig(.approver), "--cluster", cluster.id, "--ca-certificate",
            secrets.authority(.vpn), "--ca-key", secrets.authorityKey(.vpn), "--node-network",
            cluster.spec.networking.nodes, "--metrics", "0.0.0.0:\(PodParts.metricsPort)",
        ]
    }
}
