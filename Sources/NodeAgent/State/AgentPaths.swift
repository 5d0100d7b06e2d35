/// Where the agent's own files are.
package enum AgentPaths {
    package static let state = "/var/lib/tendril"
    /// How far the bootstrap is.
    package static let progress = "/var/lib/tendril/bootstrap.json"
    /// The agent's certificate and key, one file so that they change together.
    package static let identity = "/var/lib/tendril/agent.pem"
    /// A key whose certificate was asked for.
    package static let requestedKey = "/var/lib/tendril/agent-requested.key"
    /// The tunnel client's certificate and key.
    package static let tunnel = "/var/lib/tendril/tunnel.pem"
    /// A key whose certificate was asked for the tunnel client.
    package static let requestedTunnelKey = "/var/lib/tendril/tunnel-requested.key"
    /// The cluster's CA bundle as it was proven.
    package static let authority = "/var/lib/tendril/ca.crt"
    package static let manifest = "/var/lib/tendril/manifest.json"
    /// The generation that is in force.
    package static let applied = "/var/lib/tendril/applied.json"
    /// The generation on its way.
    package static let pending = "/var/lib/tendril/pending.json"
    /// The generations that were taken back.
    package static let rejected = "/var/lib/tendril/rejected.json"
    /// Whom the user data had the machine believe when the generation in force was taken.
    package static let beliefs = "/var/lib/tendril/beliefs.json"
    /// What was there before us.
    package static let originals = "/var/lib/tendril/originals"
    /// What was taken out of images and is not in its place yet.
    package static let downloads = "/var/lib/tendril/download"
    /// The name of the image that is or may be in containerd for a file that is taken out of it.
    package static let pulled = "/var/lib/tendril/pulled"
    /// What `status` shows.
    package static let status = "/run/tendril/agent.json"

    /// Where a file of this SHA-256, in hexadecimal digits, is kept until it is in its place.
    package static func download(_ digest: String) -> String { "\(downloads)/\(digest)" }
}
