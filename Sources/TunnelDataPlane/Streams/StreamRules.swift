package import LinuxSystem
package import TendrilCore
package import TunnelProtocol

/// What this side connects to for its peer, as one snapshot that control code replaces as a whole.
///
/// Addresses are judged as they are dialled, never as they were named.
package struct StreamRules: Sendable {
    /// The networks whose addresses are dialled; empty on a server.
    package var networks: RouteTable<Bool>
    /// Whether names are resolved here.
    package var resolvesNames: Bool
    /// Services that have a name on this side; empty on a client.
    package var services: [String: SocketAddress]

    package init(
        networks: RouteTable<Bool> = .init(),
        resolvesNames: Bool = false,
        services: [String: SocketAddress] = [:]
    ) {
        (self.networks, self.resolvesNames, self.services) = (networks, resolvesNames, services)
    }

    /// Whether an address may be dialled.
    package func allows(_ address: IPAddress) -> Bool { !address.isNeverATarget && networks.contains(address) }
}
