package import TendrilCore

/// What one client's identity may speak for.
package struct ClientBinding: Hashable, Sendable {
    package let addresses: [IPAddress]
    package let networks: [IPPrefix]

    package init(addresses: [IPAddress], networks: [IPPrefix]) {
        self.addresses = addresses
        self.networks = networks
    }
}
