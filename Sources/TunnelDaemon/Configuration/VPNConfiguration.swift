package import Logging
package import Observability
package import TLSEngine
package import TendrilCore
package import TunnelProtocol

/// The validated configuration of one daemon.
package struct VPNConfiguration: Sendable {
    /// Where the files of the identity are.
    package struct Files: Hashable, Sendable {
        package let authorities: String
        package let certificate: String
        package let key: String
        package let gateKey: String
    }

    /// CONNECT requests over TLS (Kubernetes documentation, EgressSelectorConfiguration, `transport.tcp`).
    package struct EgressOverTLS: Sendable {
        package let listen: Endpoint
        /// A file in PEM, with any intermediates.
        package let certificate: String
        /// A file in PEM.
        package let key: String
        /// A file in PEM: the CAs of those who may ask.
        package let authority: String
    }

    /// Which congestion control the lanes' TCP has.
    package enum CongestionControl: Hashable, Sendable {
        /// BBR where the kernel lets everybody choose it, or else the kernel's own.
        case automatic
        /// What the kernel chooses for every connection.
        case kernel
        /// The kernel's name for it.
        case named(String)
    }

    /// Which work is left to the far end's kernel.
    package enum Offload: String, CaseIterable, Sendable {
        /// Everything that both kernels agree to.
        case auto
        /// TCP super-packets, but no UDP ones.
        case tcp
        /// Nothing: every packet is carried as it is on a wire.
        case none
    }

    package let role: TunnelIdentity.Role
    /// Where a server listens.
    package let listen: Endpoint
    /// The servers that a client links to.
    package let servers: [Endpoint]
    package let serverName: String?
    package let files: Files
    /// The name of the TUN device.
    package let tun: String
    package let addresses: [InterfaceAddress]
    package let networks: [IPPrefix]
    /// On a client: the networks of the seed side.
    package let remoteNetworks: [IPPrefix]
    /// On a server: what each client may speak for; empty where all share `networks`.
    package let clients: [String: ClientBinding]
    /// On a server: the kubeconfig by which the cluster's Nodes are followed, so that each client speaks for its own alone;
    /// `nil` where they are not.
    package let nodesKubeconfig: String?
    /// On a server that follows Nodes: the part of `networks` that every client may speak for, such as that of Services.
    package let sharedNetworks: [IPPrefix]
    /// Names with their ports that streams lead to although they are no nodes: a server asks its clients for them, and a client
    /// connects to whatever address they stand for, but for those that are never a target.
    package let outsideTargets: [StreamTarget]
    /// How many connections a link has, and how many workers carry packets: 1...16.
    package let lanes: Int
    package let masquerade: Bool
    package let ciphers: [CipherSuite]
    /// What `ciphers` can name.
    package static var cipherNames: [String] { CipherSuite.allCases.map(\.rawValue) }
    /// In bytes: 1280...65535.
    package let mtu: Int
    package let congestionControl: CongestionControl
    package let metrics: Endpoint?
    package let allowInbound: [InboundService]
    /// On a server: the UNIX socket at which CONNECT requests are served; `nil` for none.
    package let egressSocket: String?
    /// On a server: where the same is served over TLS to those who show a certificate; `nil` for nowhere.
    package let egressOverTLS: EgressOverTLS?
    /// On a server: where the one service is that the shoot can reach by streams; `nil` for none.
    package let apiServer: Endpoint?
    /// On a client: where connections to that service are taken; `nil` for nowhere.
    package let apiServerListen: Endpoint?
    /// On a server: how many instances stand behind the address that clients dial; a client links to each: 1...16.
    package let instances: Int
    /// How long the end waits for streams that are open, in seconds.
    package let drainSeconds: Int
    /// On a server: how long the end waits for new requests too, in seconds; at most `drainSeconds`.
    package let lingerSeconds: Int
    /// Whether IP packets are carried, which needs a TUN device.
    package let packets: Bool
    package let offload: Offload
    /// The UNIX socket for `status`.
    package let socket: String
    package let logLevel: Logger.Level
    package let logFormat: LogFormat

    /// The socket that is used where none is named.
    package static func defaultSocket(of role: TunnelIdentity.Role) -> String {
        "/run/tendril/vpn-\(role.rawValue).sock"
    }

    /// The socket of a server at which its clients' status is asked for, beside that of its own.
    package static func peerSocket(beside socket: String) -> String {
        (socket.hasSuffix(".sock") ? String(socket.dropLast(5)) : socket) + "-peer.sock"
    }

    /// The port for links.
    package static let defaultPort: UInt16 = 8132
}
