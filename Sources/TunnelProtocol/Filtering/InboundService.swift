package import TendrilCore

/// One destination in the seed that the shoot may open connections to, such as the API server.
package struct InboundService: Hashable, Sendable, CustomStringConvertible {
    package let transport: InnerPacket.Transport
    package let address: IPAddress
    package let port: UInt16

    /// Parses `tcp/10.0.0.1:443` or `udp/[fd00::1]:53`.
    package init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let endpoint = Endpoint(parts[1]), endpoint.port != 0,
            let address = IPAddress(endpoint.host)
        else { return nil }
        switch parts[0] {
        case "tcp": transport = .tcp
        case "udp": transport = .udp
        default: return nil
        }
        self.address = address
        port = endpoint.port
    }

    package var description: String {
        "\(transport)/\(Endpoint(host: address.description, port: port))"
    }

    /// Whether a packet comes from this service.
    package func sent(_ packet: InnerPacket) -> Bool {
        packet.transport == transport && packet.sourcePort == port && packet.source == address
    }

    /// Whether a packet that an ICMP error quotes comes from this service.
    package func sent(_ quoted: QuotedPacket) -> Bool {
        quoted.transport == transport && quoted.sourcePort == port && quoted.source == address
    }

    /// Whether a packet goes to this service.
    package func accepts(_ packet: InnerPacket) -> Bool {
        packet.transport == transport && packet.destinationPort == port && packet.destination == address
    }
}
