package import TendrilCore

/// What the server lets through, in both directions.
///
/// Nothing that a client says is believed.
package struct ServerPolicy: Sendable {
    /// Which link serves an address of the shoot.
    package var routes: RouteTable<Int>
    /// The networks behind all clients, whether connected or not.
    package var shoot: RouteTable<Bool>
    /// The destinations that the shoot may open connections to.
    package var services: [InboundService]

    package init(routes: RouteTable<Int> = .init(), shoot: RouteTable<Bool>, services: [InboundService] = []) {
        self.routes = routes
        self.shoot = shoot
        self.services = services
    }

    /// Decides on a packet from a seed-side sender: returns the link that leads to its destination.
    ///
    /// The flow is noted, so that its answers are let in.
    package func outward(
        _ packet: InnerPacket,
        flows: FlowTable,
        at now: MonotonicTime
    ) throws(PacketRefusal) -> Int {
        guard !shoot.contains(packet.source) else { throw PacketRefusal(.source) }
        guard let link = routes.lookup(packet.destination) else { throw PacketRefusal(.noRoute) }
        // Answers of a service that is open to the shoot need no memory, and must not crowd out what does.
        if !services.contains(where: { $0.sent(packet) }) { flows.note(FlowKey(outward: packet), at: now) }
        return link
    }

    /// Decides on a packet that a client sent.
    ///
    /// - Parameters:
    ///   - packet: what its headers say.
    ///   - bytes: the packet, of which an ICMP error's quotation is read.
    ///   - bound: the networks that the client's identity may speak for.
    ///   - flows: what the seed side opened.
    ///   - now: the time of arrival.
    /// - Throws: `PacketRefusal` where the packet is not to be let in.
    package func inward(
        _ packet: InnerPacket,
        bytes: borrowing Span<UInt8>,
        bound: RouteTable<Bool>,
        flows: FlowTable,
        at now: MonotonicTime
    ) throws(PacketRefusal) {
        guard bound.contains(packet.source) else { throw PacketRefusal(.source) }
        guard !shoot.contains(packet.destination) else { throw PacketRefusal(.clientToClient) }
        if services.contains(where: { $0.accepts(packet) }) { return }
        guard isReply(packet, bytes: bytes, bound: bound, flows: flows, at: now) else { throw PacketRefusal(.inbound) }
    }

    private func isReply(
        _ packet: InnerPacket,
        bytes: borrowing Span<UInt8>,
        bound: RouteTable<Bool>,
        flows: FlowTable,
        at now: MonotonicTime
    ) -> Bool {
        switch packet.transport {
        case .tcp:
            return !packet.opensConnection
                && flows.isKnown(FlowKey(inward: packet), within: FlowTable.Lifetime.tcp, at: now)
        case .udp:
            return flows.isKnown(FlowKey(inward: packet), within: FlowTable.Lifetime.datagram, at: now)
        case .icmp, .icmpv6:
            if packet.isEcho {
                let isReply = packet.kind == (packet.transport == .icmp ? 0 : 129)
                return isReply && flows.isKnown(FlowKey(inward: packet), within: FlowTable.Lifetime.datagram, at: now)
            }
            guard let quoted = QuotedPacket(in: bytes, of: packet), quoted.source == packet.destination,
                bound.contains(quoted.destination)
            else { return false }
            // No flow of a service is noted: that it sent this is what it is there for.
            if services.contains(where: { $0.sent(quoted) }) { return true }
            let lifetime = quoted.transport == .tcp ? FlowTable.Lifetime.tcp : FlowTable.Lifetime.datagram
            return flows.isKnown(FlowKey(quoted: quoted), within: lifetime, at: now)
        }
    }
}
