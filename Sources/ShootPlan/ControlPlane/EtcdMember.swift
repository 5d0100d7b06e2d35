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
}
