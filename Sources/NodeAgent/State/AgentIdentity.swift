package import ClusterModel
package import HTTPModel
package import TLSEngine
package import TendrilCore

/// The agent's own certificate with its key.
package struct AgentIdentity: Sendable {
    package let certificate: [UInt8]
    package let key: Secret
    package let facts: CertificateFacts

    /// Takes what is kept in one file: certificate and key in PEM; `nil` where they do not belong together or are not
    /// this machine's.
    package init?(pem: [UInt8], of identity: MachineIdentity) {
        guard let pair = try? KeyPair(pem: Secret(pem)), let facts = try? CertificateFacts(pem: pem, "certificate"),
            facts.keyDigest == pair.digest, facts.subject.user == identity.user,
            facts.subject.groups == identity.groups, let key = try? pair.pem()
        else { return nil }
        self.facts = facts
        self.key = key
        certificate = pem
    }

    package var credential: HTTPSecurity.Credential { .certificate(certificate, key: key) }

    /// Whether it is valid at a moment, in seconds since 1970.
    package func isValid(at now: UInt64) -> Bool { facts.start <= now && now < facts.expiry }
}
