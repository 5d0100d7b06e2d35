internal import COpenSSL
package import TendrilCore

/// A private key of this side, made for certificates.
package final class KeyPair: @unchecked Sendable {
    let key: PrivateKey

    /// Makes a fresh P-256 key.
    package init() throws(TLSError) {
        guard let pointer = tendril_generate_p256_key() else { throw .drainingQueue(while: "make a key") }
        key = PrivateKey(owning: pointer)
    }

    /// Reads a key in PEM.
    package init(pem: Secret) throws(TLSError) { key = try PrivateKey(pem: pem) }

    /// The key in PEM.
    package func pem() throws(TLSError) -> Secret { try key.pem() }

    /// Its public half in PEM (SubjectPublicKeyInfo).
    package func publicPEM() throws(TLSError) -> [UInt8] { try PEM.text { PEM_write_bio_PUBKEY($0, key.pointer) } }

    /// SHA-256 of its public half, as in a request.
    package var digest: [UInt8] { CertificateRequest.digest(of: key.pointer) }
}
