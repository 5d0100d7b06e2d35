internal import ClusterModel
internal import TendrilCore

/// The Secrets that a container sees: those of which it is told where a file is, and no others.
///
/// Whoever writes a path gets it from here, so that what is named is there.
struct SecretMounts {
    /// The order of mounts: another one would make new pods of all that there are.
    private static let order = [
        LeafName.etcdServer.rawValue, LeafName.snapshots.rawValue, LeafName.controllerManager.rawValue,
        LeafName.approver.rawValue, Authority.cluster.bundle, Authority.client.rawValue, Authority.kubelet.rawValue,
        Authority.vpn.rawValue, Authority.client.bundle, Authority.kubelet.bundle, Authority.frontProxy.bundle,
        Authority.etcd.bundle, LeafName.etcdClient.rawValue, LeafName.apiServer.rawValue, LeafName.kubelets.rawValue,
        LeafName.frontProxy.rawValue, Authority.vpn.bundle, LeafName.tunnel.rawValue, KeyName.gate.rawValue,
        LeafName.nodes.rawValue, KeyName.serviceAccount.rawValue, KeyName.etcdEncryption.rawValue,
    ]

    private var names: Set<String> = []

    /// The certificates of a CA.
    mutating func bundle(_ authority: Authority) -> String { file(authority.bundle, SecretKey.authority) }
    /// The certificate of a CA by which something is signed.
    mutating func authority(_ authority: Authority) -> String { file(authority.rawValue, SecretKey.authority) }
    /// Its key.
    mutating func authorityKey(_ authority: Authority) -> String { file(authority.rawValue, SecretKey.authorityKey) }

    /// A certificate of ours; the same with its key, and with the kubeconfig that holds both.
    mutating func certificate(_ leaf: LeafName) -> String { file(leaf.rawValue, SecretKey.certificate) }
    mutating func key(_ leaf: LeafName) -> String { file(leaf.rawValue, SecretKey.key) }
    mutating func kubeconfig(_ leaf: LeafName) -> String { file(leaf.rawValue, SecretKey.kubeconfig) }

    /// A file of a key that is no certificate.
    mutating func file(_ name: KeyName, _ key: String) -> String { file(name.rawValue, key) }

    /// All of a Secret.
    mutating func folder(_ secret: String) -> String {
        names.insert(secret)
        return Self.folder(secret)
    }

    private mutating func file(_ secret: String, _ key: String) -> String { "\(folder(secret))/\(key)" }

    private static func folder(_ secret: String) -> String { "/srv/tendril/\(secret)" }

    /// What several containers of a pod see.
    func union(_ other: SecretMounts) -> SecretMounts {
        var all = self
        all.names.formUnion(other.names)
        return all
    }

    /// The container's part.
    var mounts: [JSONValue] {
        func place(_ name: String) -> Int { Self.order.firstIndex(of: name) ?? Self.order.count }
        return names.sorted { (place($0), $0) < (place($1), $1) }.map { name in
            ["name": .string(name), "mountPath": .string(Self.folder(name)), "readOnly": true]
        }
    }

    /// The pod's part.
    var volumes: [JSONValue] {
        names.sorted().map { name in
            ["name": .string(name), "secret": ["secretName": .string(name), "defaultMode": .integer(0o440)]]
        }
    }

    /// What changes with any of them, of the digests by their names.
    func sum(_ digests: [String: String]) -> String {
        names.sorted().map { "\($0)=\(digests[$0] ?? "")" }.joined(separator: ",")
    }
}
