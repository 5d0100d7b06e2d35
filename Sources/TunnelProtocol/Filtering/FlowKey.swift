import TendrilCore

/// A flow as the seed side sees it: who there talks to whom in the shoot.
package struct FlowKey: Sendable {
    private let local: IPAddress
    private let remote: IPAddress
    private let ports: UInt64

    private init(
        local: IPAddress,
        remote: IPAddress,
        localPort: UInt16,
        remotePort: UInt16,
        transport: InnerPacket.Transport
    ) {
        self.local = local
        self.remote = remote
        ports = UInt64(localPort) << 32 | UInt64(remotePort) << 16 | UInt64(transport.rawValue)
    }

    /// The flow of a packet on its way into the shoot.
    package init(outward packet: InnerPacket) {
        self.init(
            local: packet.source,
            remote: packet.destination,
            localPort: packet.sourcePort,
            remotePort: packet.destinationPort,
            transport: packet.transport
        )
    }

    /// The flow that a packet out of the shoot would belong to.
    package init(inward packet: InnerPacket) {
        self.init(
            local: packet.destination,
            remote: packet.source,
            localPort: packet.destinationPort,
            remotePort: packet.sourcePort,
            transport: packet.transport
        )
    }

    /// The flow of an outward packet that an ICMP error quotes.
    package init(quoted packet: QuotedPacket) {
        self.init(
            local: packet.source,
            remote: packet.destination,
            localPort: packet.sourcePort,
            remotePort: packet.destinationPort,
            transport: packet.transport
        )
    }

    /// The key's hash; equal flows of different families or transports differ.
    package func hash(_ function: SipHash) -> UInt64 {
        function.hash(
            UInt64(truncatingIfNeeded: local.bits >> 64),
            UInt64(truncatingIfNeeded: local.bits),
            UInt64(truncatingIfNeeded: remote.bits >> 64),
            UInt64(truncatingIfNeeded: remote.bits),
            ports | UInt64(local.family.rawValue) << 56
        )
    }
}
