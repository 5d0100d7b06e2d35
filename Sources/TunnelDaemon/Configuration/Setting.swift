/// Every setting of the daemon: its key in the file, and its flag, which is the key in kebab case.
package enum Setting: String, CaseIterable, Sendable {
    case listen
    case server
    case serverName
    case ca
    case certificate
    case key
    case gateKey
    case tun
    case address
    case network
    case remoteNetwork
    case lanes
    case masquerade
    case cipher
    case mtu
    case congestionControl
    case metrics
    case allowInbound
    case egressSocket
    case egressListen
    case egressCertificate
    case egressKey
    case egressAuthority
    case apiServer
    case apiServerListen
    case instances
    case nodesKubeconfig
    case sharedNetwork
    case outsideTarget
    case drainSeconds
    case lingerSeconds
    case packets
    case offload
    case socket
    case logLevel
    case logFormat

    /// The setting's key in a configuration file; those that take several values are plural there.
    package var key: String {
        switch self {
        case .server: "servers"
        case .address: "addresses"
        case .network: "networks"
        case .remoteNetwork: "remoteNetworks"
        case .cipher: "ciphers"
        case .sharedNetwork: "sharedNetworks"
        case .outsideTarget: "outsideTargets"
        default: rawValue
        }
    }

    /// The setting's flag.
    package var flag: String {
        if self == .packets { return "--no-packets" }
        return rawValue.reduce("--") { $0 + ($1.isUppercase ? "-\($1.lowercased())" : String($1)) }
    }

    /// Whether a list is taken.
    package var isList: Bool {
        switch self {
        case .server, .address, .network, .remoteNetwork, .sharedNetwork, .outsideTarget, .cipher, .allowInbound: true
        default: false
        }
    }
}

/// A value as the user wrote it, with the place where it stands.
package struct RawValue: Hashable, Sendable {
    package let text: String
    /// `networks[1]` in a file, `--network` on the command line.
    package let path: String

    package init(_ text: String, path: String) {
        self.text = text
        self.path = path
    }
}

/// The settings as the user wrote them, from a file, from flags, or both.
package struct RawSettings: Sendable {
    /// What one entry of `clients` says.
    package struct Client: Sendable {
        package var name: RawValue
        package var addresses: [RawValue] = []
        package var networks: [RawValue] = []
    }

    package var values: [Setting: [RawValue]] = [:]
    package var clients: [Client] = []

    package init() {}

    /// Sets values from a flag, which replace those of the file.
    package mutating func set(_ setting: Setting, _ texts: [String]) {
        guard !texts.isEmpty else { return }
        values[setting] = texts.map { RawValue($0, path: setting.flag) }
    }
}
