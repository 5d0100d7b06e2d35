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
    /// Names with their ports that are dialled whatever network they are in; empty on a server.
    package var outside: Set<StreamTarget>

    package init(
        networks: RouteTable<Bool> = .init(),
        resolvesNames: Bool = false,
        services: [String: SocketAddress] = [:],
        outside: Set<StreamTarget> = []
    ) {
        (self.networks, self.resolvesNames) = (networks, resolvesNames)
        (self.services, self.outside) = (services, outside)
    }

    /// Whether an address may be dialled for what was asked for.
    package func allows(_ address: IPAddress, for target: StreamTarget) -> Bool {
        !address.isNeverATarget && (networks.contains(address) || outside.contains(target))
    }
}
