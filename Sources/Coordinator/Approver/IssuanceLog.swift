internal import ClusterModel
internal import Logging
internal import TLSEngine
internal import TendrilCore

/// A line for every certificate that is signed, written before anybody gets it.
///
/// A certificate that is in use and stands in no line was signed by somebody who has a CA's key and no right to it.
struct IssuanceLog: Sendable {
    let logger: Logger

    /// Notes a certificate.
    ///
    /// - Parameters:
    ///   - pem: what was signed.
    ///   - name: what it is for, as people know it.
    /// - Throws: `TLSError` where it cannot be read; then it is not to be given away.
    func note(_ pem: [UInt8], for name: String) throws(TLSError) {
        let facts = try CertificateFacts(pem: pem, name)
        let subject = facts.subject.parts.map { "\($0.kind)=\($0.text)" }
        let names = facts.names.hosts + facts.names.addresses.map { "\($0)" } + facts.names.uris
        logger.notice(
            "signed a certificate",
            metadata: [
                "for": "\(name)",
                "subject": "\(subject.joined(separator: ","))", "names": "\(names.joined(separator: " "))",
                "expires": "\(KubernetesTime.text(seconds: facts.expiry))",
                "sha256": "\(Hex.text(facts.fingerprint))",
            ]
        )
    }
}
