internal import COpenSSL
internal import Glibc
package import TendrilCore

/// An X.509 certificate that this side owns a reference to.
final class Certificate {
    let pointer: OpaquePointer

    /// Takes over one reference.
    init(owning pointer: OpaquePointer) { self.pointer = pointer }

    deinit { X509_free(pointer) }

    /// Reads the first certificate of a PEM file.
    convenience init(pem: [UInt8], _ field: String) throws(TLSError) {
        guard let first = try Self.chain(pem: pem, field).first else {
            throw TLSError("use the \(field)", reasons: ["it holds no certificate in PEM"])
        }
        X509_up_ref(first.pointer)
        self.init(owning: first.pointer)
    }

    /// Reads every certificate of a PEM file.
    static func chain(pem: [UInt8], _ field: String) throws(TLSError) -> [Certificate] {
        guard let bio = BIO_new_mem_buf(pem, CInt(clamping: pem.count)) else {
            throw .drainingQueue(while: "read the \(field)")
        }
        defer { BIO_free(bio) }
        var found: [Certificate] = []
        while let pointer = PEM_read_bio_X509(bio, nil, nil, nil) { found.append(Certificate(owning: pointer)) }
        let code = ERR_peek_last_error()
        guard found.isEmpty || tendril_is_end_of_pem(code) == 1 else {
            throw .drainingQueue(while: "read the \(field)")
        }
        ERR_clear_error()
        return found
    }

    /// The single URI name of the form that the tunnel uses; `nil` when there is none, or more than one URI.
    var identity: TunnelIdentity? {
        guard let raw = X509_get_ext_d2i(pointer, NID_subject_alt_name, nil, nil) else { return nil }
        let names = OpaquePointer(raw)
        defer { GENERAL_NAMES_free(names) }
        var uris: [String] = []
        for index in 0..<tendril_general_name_count(names) {
            guard let name = tendril_general_name_at(names, index) else { continue }
            var bytes: UnsafePointer<UInt8>?
            let length = tendril_general_name_uri(name, &bytes)
            guard length >= 0, let bytes else { continue }
            uris.append(String(decoding: UnsafeBufferPointer(start: bytes, count: Int(length)), as: UTF8.self))
        }
        guard uris.count == 1, let uri = uris.first else { return nil }
        return TunnelIdentity(uri: uri)
    }

    /// The last second of validity since 1970; 0 where it cannot be read.
    var expiry: UInt64 {
        var time = tm()
        guard ASN1_TIME_to_tm(X509_get0_notAfter(pointer), &time) == 1 else { return 0 }
        return UInt64(max(timegm(&time), 0))
    }
}

/// A private key.
final class PrivateKey {
    let pointer: OpaquePointer

    /// Takes over one reference.
    init(owning pointer: OpaquePointer) { self.pointer = pointer }

    deinit { EVP_PKEY_free(pointer) }

    /// Reads an unencrypted key in PEM.
    convenience init(pem: Secret) throws(TLSError) {
        let pointer = pem.withBytes { bytes in
            bytes.withUnsafeBytes { buffer -> OpaquePointer? in
                guard let bio = BIO_new_mem_buf(buffer.baseAddress, CInt(clamping: buffer.count)) else { return nil }
                defer { BIO_free(bio) }
                // An empty password, so that OpenSSL never asks on a terminal.
                return PEM_read_bio_PrivateKey(bio, nil, { _, _, _, _ in -1 }, nil)
            }
        }
        guard let pointer else { throw .drainingQueue(while: "read the key") }
        self.init(owning: pointer)
    }
}

/// The certificate that a live peer showed, kept to be judged again when the CA bundle changes.
package final class PeerCertificate: @unchecked Sendable {
    let pointer: OpaquePointer
    let chain: OpaquePointer?
    /// Who the peer is, if its certificate says so in our form.
    package let identity: TunnelIdentity?
    /// The last second of its validity since 1970.
    package let expiry: UInt64

    init?(of ssl: OpaquePointer) {
        guard let pointer = SSL_get1_peer_certificate(ssl) else { return nil }
        self.pointer = pointer
        X509_up_ref(pointer)
        let certificate = Certificate(owning: pointer)
        chain = SSL_get_peer_cert_chain(ssl).flatMap { X509_chain_up_ref($0) }
        identity = certificate.identity
        expiry = certificate.expiry
    }

    deinit {
        if let chain { tendril_free_chain(chain) }
        X509_free(pointer)
    }
}
