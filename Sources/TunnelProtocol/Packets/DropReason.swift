/// Why a packet was not carried; its raw value is its position in a row of counters.
public enum DropReason: Int, CaseIterable, Sendable {
    /// The bytes are no well-formed IPv4 or IPv6 packet, or lengths disagree.
    case malformed
    /// IPv4 options, which carry source routes and no use.
    case options
    /// A fragment: ports cannot be checked on it.
    case fragment
    /// An IPv6 extension header.
    case extensionHeader
    /// Neither TCP, UDP nor ICMP; tunnelled IP among them.
    case transport
    /// An address that no unicast packet between two networks carries.
    case martian
    /// The virtio header contradicts the packet.
    case offload
    /// The source address is not bound to the peer that sent it, or is not this side's own.
    case source
    /// The destination is not served on this side.
    case destination
    /// A connection or datagram into the seed that nothing on the seed side asked for.
    case inbound
    /// From one client to another.
    case clientToClient
    /// No live link leads to the destination.
    case noRoute
    /// Larger than the peer's MTU.
    case tooBig
    /// The queue before the lane was full.
    case queueFull
    /// CoDel asked for a drop and the packet could be neither marked nor trimmed.
    case congestion
    /// The kernel refused the packet.
    case kernel

    /// The value of the metric's `reason` label.
    public var label: String {
        switch self {
        case .extensionHeader: "extension-header"
        case .clientToClient: "client-to-client"
        case .noRoute: "no-route"
        case .tooBig: "too-big"
        case .queueFull: "queue-full"
        default: "\(self)"
        }
    }
}
