import TendrilCore

/// What the client lets through: only its own networks, in both directions.
package struct ClientPolicy: Sendable {
    /// The networks that this client serves, its own tunnel addresses among them.
    package var served: RouteTable<Bool>
    /// The networks of the seed side, the only ones whose packets are taken; where there are none, all but `served`.
    package var remote: RouteTable<Bool>
    /// Which link leads to a server's own tunnel address.
    package var servers: RouteTable<Int>
    /// The links that are up, the preferred first.
    package var links: [Int]

    package init(
        served: RouteTable<Bool>,
        remote: RouteTable<Bool>,
        servers: RouteTable<Int> = .init(),
        links: [Int] = []
    ) {
        self.served = served
        self.remote = remote
        self.servers = servers
        self.links = links
    }

    /// Decides on a packet from a server and remembers the way back to its sender.
    package func inward(_ packet: InnerPacket, link: Int, paths: ReturnPaths) throws(PacketRefusal) {
        guard remote.isEmpty || remote.contains(packet.source), !served.contains(packet.source) else {
            throw PacketRefusal(.source)
        }
        guard served.contains(packet.destination) else { throw PacketRefusal(.destination) }
        paths.note(packet.source, link: link)
    }

    /// Decides on a packet towards the seed: returns the link to take.
    package func outward(_ packet: InnerPacket, paths: ReturnPaths) throws(PacketRefusal) -> Int {
        guard served.contains(packet.source) else { throw PacketRefusal(.source) }
        if let link = servers.lookup(packet.destination) { return link }
        if let link = paths.link(to: packet.destination), links.contains(link) { return link }
        guard let link = links.first else { throw PacketRefusal(.noRoute) }
        return link
    }
}
