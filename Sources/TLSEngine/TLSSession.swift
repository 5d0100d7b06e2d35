internal import COpenSSL
package import TendrilCore

/// One TLS connection driven through memory; it owns its `SSL` and never sees a socket.
package struct TLSSession: ~Copyable, @unchecked Sendable {
    /// How a step ended.
    package enum Progress: Hashable, Sendable {
        /// The step is done.
        case done
        /// Nothing more can happen before more ciphertext arrives.
        case needsCiphertext
        /// There was no room for more plaintext.
        case noRoom
        /// The peer ended the connection in TLS.
        case closedByPeer
    }

    /// The most bytes that one `encrypt` call may be given, so that its ciphertext has a bound.
    package static var maximumPlaintext: Int { 80 * 1024 }
    /// Room that `encrypt` needs beyond the plaintext: 22 bytes a record, and a key update.
    package static var overhead: Int { 1024 }

    private let ssl: OpaquePointer
    private let wire: UnsafeMutablePointer<MemoryWire>

    /// Begins a session in the context's role.
    ///
    /// - Parameters:
    ///   - context: rules and certificates; it may be replaced while the session lives.
    ///   - serverName: what a client asks a load balancer for (SNI); not checked against the certificate.
    /// - Throws: `TLSError` where OpenSSL fails.
    package init(context: borrowing TLSContext, serverName: String? = nil) throws(TLSError) {
        ERR_clear_error()
        guard let ssl = SSL_new(context.pointer), let method = MemoryWireMethod.pointer, let bio = BIO_new(method)
        else { throw .drainingQueue(while: "create a TLS session") }
        let wire = UnsafeMutablePointer<MemoryWire>.allocate(capacity: 1)
        wire.initialize(to: MemoryWire())
        BIO_set_data(bio, wire)
        BIO_set_init(bio, 1)
        SSL_set_bio(ssl, bio, bio)
        switch context.identity.role {
        case .server: SSL_set_accept_state(ssl)
        case .client: SSL_set_connect_state(ssl)
        }
        if let serverName { _ = tendril_ssl_set_server_name(ssl, serverName) }
        self.ssl = ssl
        self.wire = wire
    }

    deinit {
        SSL_free(ssl)
        wire.deallocate()
    }

    /// Takes the handshake as far as `input` goes; what is to be sent is added to `output`.
    package mutating func handshake(
        _ input: inout FlatBuffer,
        _ output: inout FlatBuffer
    ) throws(TLSError) -> Progress {
        lend(input: input, output: output)
        ERR_clear_error()
        let status = SSL_do_handshake(ssl)
        let failure = status == 1 ? SSL_ERROR_NONE : SSL_get_error(ssl, status)
        settle(&input, &output)
        switch failure {
        case SSL_ERROR_NONE: return .done
        case SSL_ERROR_WANT_READ: return .needsCiphertext
        case SSL_ERROR_ZERO_RETURN: return .closedByPeer
        default: throw handshakeError()
        }
    }

    /// Decrypts `input` into the room of `plaintext`; `reply` takes what TLS itself has to say (key updates).
    package mutating func decrypt(
        _ input: inout FlatBuffer,
        into plaintext: inout FlatBuffer,
        reply: inout FlatBuffer
    ) throws(TLSError) -> Progress {
        lend(input: input, output: reply)
        defer { settle(&input, &reply) }
        while plaintext.room > 0 {
            ERR_clear_error()
            var count = 0
            let status = SSL_read_ex(ssl, plaintext.writePointer, plaintext.room, &count)
            if status == 1 {
                plaintext.produced(count)
                // What OpenSSL has none of it need not be asked for.
                if wire.pointee.inputCount == 0, SSL_has_pending(ssl) == 0 { return .needsCiphertext }
                continue
            }
            switch SSL_get_error(ssl, status) {
            case SSL_ERROR_WANT_READ: return .needsCiphertext
            case SSL_ERROR_ZERO_RETURN: return .closedByPeer
            default: throw .drainingQueue(while: "decrypt a TLS record")
            }
        }
        return .noRoom
    }

    /// Encrypts all of `plaintext` (80 KiB at most) into the room of `output`, which must have `overhead` bytes more.
    package mutating func encrypt(_ plaintext: RawSpan, into output: inout FlatBuffer) throws(TLSError) {
        precondition(plaintext.byteCount <= Self.maximumPlaintext)
        precondition(output.room >= plaintext.byteCount + Self.overhead)
        guard !plaintext.isEmpty else { return }
        wire.pointee.input = nil
        wire.pointee.inputCount = 0
        lend(output: output)
        ERR_clear_error()
        var count = 0
        let status = plaintext.withUnsafeBytes { SSL_write_ex(ssl, $0.baseAddress, $0.count, &count) }
        output.produced(wire.pointee.outputCount)
        guard status == 1 else { throw .drainingQueue(while: "encrypt a TLS record") }
    }

    /// Has the next `encrypt` change the sending key (RFC 8446 section 4.6.3).
    package mutating func updateKey() { _ = SSL_key_update(ssl, SSL_KEY_UPDATE_NOT_REQUESTED) }

    /// The certificate that the peer showed; after the handshake there is one.
    package func peer() -> PeerCertificate? { PeerCertificate(of: ssl) }

    /// What was negotiated, for people: cipher and key exchange.
    package var parameters: String {
        let cipher = SSL_get_current_cipher(ssl).flatMap { SSL_CIPHER_get_name($0) }.map { String(cString: $0) }
        let group = tendril_ssl_group_name(ssl).map { String(cString: $0) }
        return [cipher, group].compactMap { $0 }.joined(separator: " ")
    }

    private func lend(input: borrowing FlatBuffer, output: borrowing FlatBuffer) {
        wire.pointee.input = UnsafePointer(input.readPointer.assumingMemoryBound(to: UInt8.self))
        wire.pointee.inputCount = input.count
        lend(output: output)
    }

    private func lend(output: borrowing FlatBuffer) {
        wire.pointee.output = output.writePointer.assumingMemoryBound(to: UInt8.self)
        wire.pointee.outputRoom = output.room
        wire.pointee.outputCount = 0
    }

    private func settle(_ input: inout FlatBuffer, _ output: inout FlatBuffer) {
        input.consumed(input.count - wire.pointee.inputCount)
        output.produced(wire.pointee.outputCount)
        wire.pointee = MemoryWire()
    }

    /// A refused certificate is told by OpenSSL's verdict on it, not by "certificate verify failed".
    private func handshakeError() -> TLSError {
        let verdict = SSL_get_verify_result(ssl)
        guard verdict != CLong(X509_V_OK), let text = X509_verify_cert_error_string(verdict) else {
            return .drainingQueue(while: "agree on TLS")
        }
        ERR_clear_error()
        return TLSError("accept the peer's certificate", reasons: [String(cString: text)])
    }
}
