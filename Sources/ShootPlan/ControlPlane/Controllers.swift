import ClusterModel
import TendrilCore

/// What the controllers are told.
enum Controllers {
    static let managerSecrets = [
        "kube-controller-manager", "ca-bundle", "ca-client", "ca-kubelet", "service-account-key",
    ]

    static func managerFlags(_ cluster: ClusterFacts) -> [String] {
        let kubeconfig = PodParts.path("kube-controller-manager", "kubeconfig")
        let (client, kubelet) = ("ca-client", "ca-kubelet")
        func signer(_ name: String, _ authority: String) -> [String] {
            [
                "--cluster-signing-\(name)-cert-file=\(PodParts.path(authority, "ca.crt"))",
                "--cluster-signing-\(name)-key-file=\(PodParts.path(authority, "ca.key"))",
            ]
        }
        return shared(cluster, kubeconfig) + [
            "--controllers=*,bootstrapsigner,tokencleaner", "--use-service-account-credentials=true",
            "--service-account-private-key-file=\(PodParts.path("service-account-key", "private.pem"))",
            "--root-ca-file=\(PodParts.path("ca-bundle", "ca.crt"))", "--cluster-signing-duration=720h",
            "--allocate-node-cidrs=true", "--cluster-cidr=\(cluster.spec.networking.pods)",
            "--service-cluster-ip-range=\(cluster.spec.networking.services)", "--node-monitor-grace-period=40s",
        ] + signer("kube-apiserver-client", client) + signer("kubelet-client", client)
            + signer("kubelet-serving", kubelet) + signer("legacy-unknown", client)
    }

    static func schedulerFlags(_ cluster: ClusterFacts) -> [String] {
        shared(cluster, PodParts.path("kube-scheduler", "kubeconfig"))
    }

    /// Without a look-up of the API server's own authority it would end as long as that is not there.
    private static func shared(_ cluster: ClusterFacts, _ kubeconfig: String) -> [String] {
        [
            "--kubeconfig=\(kubeconfig)", "--authentication-kubeconfig=\(kubeconfig)",
            "--authorization-kubeconfig=\(kubeconfig)", "--authentication-tolerate-lookup-failure=true",
            "--leader-elect=\(cluster.spec.controlPlane.replicas > 1)", "--profiling=false",
        ] + FeatureGates.flags(cluster.spec.controlPlane.featureGates)
    }

    static func approverCommand(_ cluster: ClusterFacts) -> [String] {
        [
            "/usr/bin/tendril-coordinator", "approver", "--kubeconfig",
            PodParts.path("tendril-approver", "kubeconfig"), "--cluster", cluster.id, "--ca-certificate",
            PodParts.path("ca-vpn", "ca.crt"), "--ca-key", PodParts.path("ca-vpn", "ca.key"), "--node-network",
            cluster.spec.networking.nodes, "--metrics", "0.0.0.0:\(PodParts.metricsPort)",
        ]
    }
}
