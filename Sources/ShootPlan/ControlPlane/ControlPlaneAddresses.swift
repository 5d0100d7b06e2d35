internal import TendrilCore

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
