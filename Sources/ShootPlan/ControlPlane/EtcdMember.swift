internal import TendrilCore

/// The one member of a shoot's etcd, as it is told, and as its data is made anew.
enum EtcdMember {
    /// Where nobody but itself listens.
    static let peerURL = "http://127.0.0.1:2380"
    static let name = "--name=etcd-0"
    static let peerURLs = "--initial-advertise-peer-urls=\(peerURL)"
    static let cluster = "--initial-cluster=etcd-0=\(peerURL)"

    /// Where its volume is seen in a container.
    static let volume = "/var/etcd"
    static let data = "\(volume)/data"
    /// The volume's claim, as the StatefulSet makes it.
    static let claim = "data-etcd-0"
    static let mount: JSONValue = ["name": "data", "mountPath": .string(volume)]

    /// What starts it; what it is told of becomes part of the Secrets that it sees.
    static func command(_ cluster: ClusterFacts, _ secrets: inout SecretMounts) -> [String] {
        [
            "etcd", name, "--data-dir=\(data)", "--listen-client-urls=https://0.0.0.0:2379",
            "--advertise-client-urls=https://etcd.\(cluster.id).svc:2379", "--listen-peer-urls=\(peerURL)", peerURLs,
            Self.cluster, "--listen-metrics-urls=http://0.0.0.0:\(PodParts.etcdMetricsPort)", "--client-cert-auth",
            "--trusted-ca-file=\(secrets.bundle(.etcd))", "--cert-file=\(secrets.certificate(.etcdServer))",
            "--key-file=\(secrets.key(.etcdServer))", "--auto-compaction-mode=periodic",
            "--auto-compaction-retention=30m", EtcdQuota.argument,
        ]
    }
}
