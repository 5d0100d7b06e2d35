internal import ClusterModel
internal import TLSEngine

/// Which certificate is asked for.
struct CertificatePurpose: Sendable {
    /// In words.
    let name: String
    let signer: Signer
    let subject: SubjectName
    /// The only alternative name.
    let uri: String
    /// Where certificate and key are kept, in one file so that they change together.
    let path: String
    /// Where a key is kept whose certificate was asked for.
    let requestedKey: String
    /// The beginning of the request's name.
    let requestName: String

    /// The agent's own.
    static func agent(_ identity: MachineIdentity) -> Self {
        Self(
            name: "the agent's certificate",
            signer: .agent,
            subject: SubjectName(user: identity.user, groups: identity.groups),
            uri: identity.agentURI,
            path: AgentPaths.identity,
            requestedKey: AgentPaths.requestedKey,
            requestName: "tendril-agent-\(identity.machine)"
        )
    }

    /// The tunnel client's.
    static func tunnel(_ identity: MachineIdentity) -> Self {
        Self(
            name: "the tunnel's certificate",
            signer: .tunnelClient,
            subject: SubjectName(user: identity.machine),
            uri: identity.tunnelURI,
            path: AgentPaths.tunnel,
            requestedKey: AgentPaths.requestedTunnelKey,
            requestName: "tendril-vpn-\(identity.machine)"
        )
    }
}
