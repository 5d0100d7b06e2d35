package import TendrilCore

/// Who is talked to, and as whom.
package struct HTTPSecurity: Sendable {
    /// Which certificates of the peer are believed.
    package enum Trust: Sendable {
        /// Those that lead to this CA bundle in PEM.
        case bundle([UInt8])
        /// Those that lead to the system's authorities.
        case system
        /// Any: only to fetch what proves itself by a signature; no credential is ever sent over it.
        case unproven
    }

    /// How this side proves itself.
    package enum Credential: Sendable {
        case none
        /// A client certificate with its chain, and its key, both in PEM.
        case certificate([UInt8], key: Secret)
        /// A bearer token (RFC 6750).
        case token(Secret)
        /// A bearer token in a file that somebody else renews; it is read for each request.
        case tokenFile(String)
        /// A signature by an access key of AWS (AWS documentation, "Signature Version 4").
        case awsSignature(region: String, service: String, keyID: String, key: Secret)

        /// Whether the request itself is signed.
        package var isSignature: Bool { if case .awsSignature = self { true } else { false } }
    }

    package var trust: Trust
    package var credential: Credential
    /// The proxy's URL; empty for none.
    ///
    /// The environment's settings are not looked at.
    package var proxy: String
    /// Hosts that are reached directly, comma-separated as in NO_PROXY.
    package var noProxy: String

    package init(trust: Trust, credential: Credential = .none, proxy: String = "", noProxy: String = "") {
        self.trust = trust
        self.credential = credential
        self.proxy = proxy
        self.noProxy = noProxy
    }
}
