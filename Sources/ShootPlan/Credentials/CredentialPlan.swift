internal import ClusterModel
package import TendrilCore

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
