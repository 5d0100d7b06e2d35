internal import COpenSSL
internal import TendrilCore

/// Texts as RFC 7468 has them, by way of a memory BIO.
enum PEM {
    static func text(_ write: (OpaquePointer) -> CInt) throws(TLSError) -> [UInt8] {
        guard let bio = BIO_new(BIO_s_mem()) else { throw .drainingQueue(while: "write PEM") }
        defer { BIO_free(bio) }
        guard write(bio) == 1 else { throw .drainingQueue(while: "write PEM") }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while case let count = BIO_read(bio, &chunk, CInt(chunk.count)), count > 0 { bytes += chunk[..<Int(count)] }
        return bytes
    }
}

extension PrivateKey {
    /// The key in PEM, without a password.
    func pem() throws(TLSError) -> Secret {
        Secret(try PEM.text { PEM_write_bio_PrivateKey($0, pointer, nil, nil, 0, nil, nil) })
    }
}

extension Certificate {
    /// The certificate in PEM.
    func pem() throws(TLSError) -> [UInt8] { try PEM.text { PEM_write_bio_X509($0, pointer) } }
}
