package import LinuxSystem
internal import TendrilCore
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
    /// Where this side itself listens for others than its peer: what is there is never its peer's.
    package var own: SocketAddress?

    package init(
        networks: RouteTable<Bool> = .init(),
        resolvesNames: Bool = false,
        services: [String: SocketAddress] = [:],
        outside: Set<StreamTarget> = [],
        own: SocketAddress? = nil
    ) {
        (self.networks, self.resolvesNames) = (networks, resolvesNames)
        (self.services, self.outside, self.own) = (services, outside, own)
    }

    /// Whether an address may be dialled for what was asked for.
    package func allows(_ address: SocketAddress, for target: StreamTarget) -> Bool {
        guard let host = address.address else { return false }
        return !host.isNeverATarget && !isOwn(address) && (networks.contains(host) || outside.contains(target))
    }

    /// Whether an address is where this side listens, whichever family the resolver gives it in.
    private func isOwn(_ address: SocketAddress) -> Bool {
        guard let own else { return false }
        return address.address == own.address && address.port == own.port
    }
}
