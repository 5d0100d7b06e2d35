import TendrilCore
package import TunnelProtocol

/// The rules of the side that this program is, as one snapshot that control code replaces as a whole.
package enum PacketSide: Sendable {
    case server(ServerPolicy, FlowTable)
    case client(ClientPolicy, ReturnPaths)

    /// Decides on a packet from this side's own network: returns the link to take.
    @inline(__always)
    func outward(_ packet: InnerPacket, at now: MonotonicTime) throws(PacketRefusal) -> Int {
        switch self {
        case .server(let policy, let flows): try policy.outward(packet, flows: flows, at: now)
        case .client(let policy, let paths): try policy.outward(packet, paths: paths)
        }
    }

    /// Decides on a packet that came in by `lane`.
    @inline(__always)
    func inward(
        _ packet: InnerPacket,
        bytes: borrowing Span<UInt8>,
        lane: Lane,
        at now: MonotonicTime
    ) throws(PacketRefusal) {
        switch self {
        case .server(let policy, let flows):
            try policy.inward(packet, bytes: bytes, bound: lane.peer.bound, flows: flows, at: now)
        case .client(let policy, let paths):
            try policy.inward(packet, link: lane.peer.link, paths: paths)
        }
    }

    /// The TUN queue, one of `count`, of a packet that came in by a lane: the same at both ends of the link.
    @inline(__always)
    package func queue(inward packet: InnerPacket, count: Int) -> Int {
        let flow =
            switch self {
            case .server: FlowKey(inward: packet)
            case .client: FlowKey(outward: packet)
            }
        return Int(flow.hash(Self.queueHash) % UInt64(count))
    }

    /// Known to both ends; no secret, for a sender can only hurt flows of its own.
    private static let queueHash = SipHash(key: (0, 0))
}
