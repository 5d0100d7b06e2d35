internal import ClusterModel
package import TendrilCore

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

/// A certificate that the shoot needs.
package struct LeafPlan: Hashable, Sendable {
    /// Of the certificate, and of its Secret.
    package let name: String
    package let authority: Authority
    package let user: String
    package var groups: [String] = []
    package var hosts: [String] = []
    package var addresses: [IPAddress] = []
    package var uris: [String] = []
    package var isServer = false
    package var isClient = false
    /// The API server's URL, where a kubeconfig is wanted.
    package var server: String?

    fileprivate init(_ name: LeafName, _ authority: Authority, user: String) {
        (self.name, self.authority, self.user) = (name.rawValue, authority, user)
    }

    /// For how many days a leaf is valid; it is renewed after four fifths of them.
    package static let days = 90
    /// The same for people's kubeconfigs.
    package static let peopleDays = 1
    package static let renewalShare = 0.8

    /// For how many days it is valid.
    package var lifetimeDays: Int { name == Self.people ? Self.peopleDays : Self.days }
    /// The name of the certificate by which people come.
    package static let people = LeafName.people.rawValue

    /// What identifies it for a decision whether to issue it anew.
    package var inputs: JSONValue {
        [
            "authority": .string(authority.rawValue), "user": .string(user),
            "groups": .array(groups.map { .string($0) }), "hosts": .array(hosts.map { .string($0) }),
            "addresses": .array(addresses.map { .string("\($0)") }), "uris": .array(uris.map { .string($0) }),
            "server": .string(server ?? ""),
        ]
    }
}

/// Where the parts of a control plane are reached.
package struct ControlPlaneAddresses: Codable, Hashable, Sendable {
    /// A port of a host that answers outside the seed.
    package struct Outside: Codable, Hashable, Sendable {
        package var host: String
        package var port: Int

        package init(host: String, port: Int) { (self.host, self.port) = (host, port) }

        /// `host:port`, with brackets around an IPv6 address.
        package var text: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
    }

    /// The cluster IP of etcd's Service in the seed.
    package var etcd: String
    /// The cluster IP of the API server's Service in the seed.
    package var apiServer: String
    /// The front door.
    package var frontDoor: Outside
    /// Where nodes link to.
    package var link: Outside
    /// Hosts that were the front door's: machines that know it by these still have to believe it.
    package var former: [String]?

    package init(etcd: String, apiServer: String, frontDoor: Outside, link: Outside) {
        (self.etcd, self.apiServer, self.frontDoor, self.link) = (etcd, apiServer, frontDoor, link)
    }

    /// Where the API server asks etcd.
    var etcdURL: String { "https://\(Endpoint(host: etcd, port: 2379))" }
    /// Where those within the seed ask the API server.
    var apiServerURL: String { "https://\(Endpoint(host: apiServer, port: 443))" }
    /// Where all others ask it.
    package var frontDoorURL: String { "https://\(frontDoor.text)" }

    /// The same after other ones: their hosts are kept, the last few of them.
    package func following(_ before: ControlPlaneAddresses) -> ControlPlaneAddresses {
        var kept = (before.former ?? []).filter { $0 != before.frontDoor.host } + [before.frontDoor.host]
        kept.removeAll { $0 == frontDoor.host }
        var next = self
        next.former = kept.isEmpty ? nil : Array(kept.suffix(4))
        return next
    }
}

/// Says which certificates a shoot needs.
package enum CredentialPlan {
    /// Every leaf.
    package static func leaves(_ cluster: ClusterFacts, _ addresses: ControlPlaneAddresses) -> [LeafPlan] {
        let (inside, outside) = (addresses.apiServerURL, addresses.frontDoorURL)
        func client(_ name: LeafName, _ user: String, groups: [String] = [], server: String) -> LeafPlan {
            var leaf = LeafPlan(name, .client, user: user)
            (leaf.groups, leaf.isClient, leaf.server) = (groups, true, server)
            return leaf
        }
        return servers(cluster, addresses) + [
            client(.controllerManager, "system:kube-controller-manager", server: inside),
            client(.scheduler, "system:kube-scheduler", server: inside),
            client(.coordinator, "tendril-coordinator", groups: ["system:masters"], server: inside),
            client(.approver, "tendril-approver", groups: ["system:masters"], server: inside),
            // It stands beside the API server.
            client(.nodes, nodesReader, server: "https://127.0.0.1:6443"),
            client(.kubeProxy, "system:kube-proxy", server: outside),
            client(.people, "tendril:admin", groups: ["system:masters"], server: outside),
        ]
    }

    /// The user that reads Nodes for the tunnel's server, and nothing else.
    static let nodesReader = "tendril:vpn-server"
    /// As whom the API server speaks with kubelets.
    static let kubeletsUser = "kube-apiserver-kubelet-client"

    private static func servers(_ cluster: ClusterFacts, _ addresses: ControlPlaneAddresses) -> [LeafPlan] {
        var etcd = LeafPlan(.etcdServer, .etcd, user: "etcd")
        (etcd.isServer, etcd.isClient) = (true, true)
        etcd.hosts = ["localhost", "etcd", "etcd.\(cluster.id)", "etcd.\(cluster.id).svc"]
        etcd.addresses = ["127.0.0.1", addresses.etcd].compactMap { IPAddress($0) }
        var etcdClient = LeafPlan(.etcdClient, .etcd, user: "kube-apiserver")
        etcdClient.isClient = true
        var server = LeafPlan(.apiServer, .cluster, user: "kube-apiserver")
        server.isServer = true
        server.hosts = [
            "localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc",
            "kubernetes.default.svc.cluster.local", "kube-apiserver", "kube-apiserver.\(cluster.id).svc",
        ]
        let own = ["127.0.0.1", addresses.apiServer, ReservedNetwork.apiServer].compactMap { IPAddress($0) }
        server.addresses = own + [cluster.serviceAddress(1)].compactMap { $0 }
        for host in [addresses.frontDoor.host] + (addresses.former ?? []) {
            if let address = IPAddress(host) { server.addresses.append(address) } else { server.hosts.append(host) }
        }
        var kubelets = LeafPlan(.kubelets, .cluster, user: kubeletsUser)
        kubelets.isClient = true
        var front = LeafPlan(.frontProxy, .frontProxy, user: "front-proxy")
        front.isClient = true
        var tunnel = LeafPlan(.tunnel, .vpn, user: "vpn-server")
        tunnel.isServer = true
        tunnel.uris = ["spiffe://\(cluster.id)/vpn/server/s1"]
        let all = [etcd, etcdClient, server, kubelets, front, tunnel]
        return cluster.seed.snapshots == nil ? all : all + [snapshots()]
    }

    /// Of whoever makes snapshots of etcd.
    private static func snapshots() -> LeafPlan {
        var leaf = LeafPlan(.snapshots, .etcd, user: "tendril-snapshots")
        leaf.isClient = true
        return leaf
    }
}
