/// Who a certificate says its holder is: a cluster, a side of the tunnel, and a name within it.
///
/// Its text is the URI subject alternative name `spiffe://<cluster>/vpn/<role>/<name>`.
package struct TunnelIdentity: Hashable, Sendable, CustomStringConvertible {
    /// A side of the tunnel.
    package enum Role: String, Sendable, CaseIterable {
        case server
        case client

        /// The side that this one talks to.
        package var peer: Role { self == .server ? .client : .server }
    }

    package let cluster: String
    package let role: Role
    package let name: String

    /// Makes an identity, or `nil` when `cluster` or `name` is not a DNS name of 1...253 characters.
    package init?(cluster: String, role: Role, name: String) {
        guard Endpoint.isHostName(cluster), Endpoint.isHostName(name) else { return nil }
        self.cluster = cluster
        self.role = role
        self.name = name
    }

    /// Parses a URI subject alternative name; anything else, also a longer path, is refused.
    package init?(uri: String) {
        guard uri.hasPrefix("spiffe://") else { return nil }
        let parts = uri.dropFirst("spiffe://".count).split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 4, parts[1] == "vpn", let role = Role(rawValue: String(parts[2])) else { return nil }
        self.init(cluster: String(parts[0]), role: role, name: String(parts[3]))
    }

    package var description: String { "spiffe://\(cluster)/vpn/\(role.rawValue)/\(name)" }
}
