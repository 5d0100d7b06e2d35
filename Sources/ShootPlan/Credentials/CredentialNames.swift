/// The CAs of a shoot; each is a Secret of this name in the shoot's namespace.
package enum Authority: String, CaseIterable, Sendable {
    /// Signs the API server's certificate, and the one by which the API server proves itself to kubelets.
    case cluster = "ca"
    /// Signs users of the API: people, control plane, kubelets.
    case client = "ca-client"
    /// Signs the certificates that kubelets serve with.
    case kubelet = "ca-kubelet"
    case frontProxy = "ca-front-proxy"
    case etcd = "ca-etcd"
    /// Signs both ends of the link, and the agents.
    case vpn = "ca-vpn"

    /// For how many days it is valid.
    package static let days = 3650

    /// The Secret with the certificates alone, for those who only believe it.
    package var bundle: String { "\(rawValue)-bundle" }

    /// Whether people and pods look for what it signs at the API server, so that they need time to follow another.
    package var isServed: Bool { self == .cluster }

    /// Whose certificates stand in the bundle: users of the API are vouched for by two authorities.
    package var believed: [Authority] { self == .client ? [.client, .vpn] : [self] }
}

/// Keys that are no certificates; each is a Secret of this name in the shoot's namespace.
package enum KeyName: String, CaseIterable, Sendable {
    case serviceAccount = "service-account-key"
    case etcdEncryption = "etcd-encryption-key"
    case gate = "vpn-gate-key"
    case nodeSigning = "node-signing-key"
}

/// The certificates of a shoot; each is a Secret of this name in the shoot's namespace.
package enum LeafName: String, Sendable {
    case etcdServer = "etcd-server"
    case etcdClient = "etcd-client"
    /// Of whoever makes snapshots of etcd.
    case snapshots = "etcd-snapshots"
    case apiServer = "kube-apiserver"
    /// By which the API server proves itself to kubelets.
    case kubelets = "kube-apiserver-kubelet"
    case frontProxy = "front-proxy"
    /// Of the tunnel's server.
    case tunnel = "vpn-server"
    /// By which the tunnel's server follows Nodes.
    case nodes = "vpn-nodes"
    case controllerManager = "kube-controller-manager"
    case scheduler = "kube-scheduler"
    case coordinator = "tendril-coordinator"
    case approver = "tendril-approver"
    case kubeProxy = "kube-proxy"
    /// By which people come.
    case people = "kubeconfig"
}
