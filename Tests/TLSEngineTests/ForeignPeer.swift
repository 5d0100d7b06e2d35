import COpenSSL
import TLSEngine
import TendrilCore

/// A peer that is not ours: OpenSSL as it is, with a certificate and habits that our own sessions would not have.
final class ForeignPeer {
    private let ssl: OpaquePointer
    private let incoming: OpaquePointer
    private let outgoing: OpaquePointer
    private let keeper: AnyObject

    /// A client that believes every server, and shows this certificate, or none.
    convenience init(client credentials: Credentials?) throws {
        let sessions = try ClientSessions(
            authorities: nil,
            identity: credentials.map { ($0.certificate, $0.key) }
        )
        try self.init(sessions.make(to: "server"), keeper: sessions)
        SSL_set_connect_state(ssl)
        SSL_set_verify(ssl, SSL_VERIFY_NONE, nil)
    }

    /// A server that shows this certificate and asks for none.
    convenience init(server credentials: Credentials) throws {
        let sessions = try ServerSessions(certificate: credentials.certificate, key: credentials.key)
        try self.init(sessions.make(), keeper: sessions)
        SSL_set_accept_state(ssl)
    }

    private init(_ session: OpaquePointer?, keeper: AnyObject) throws {
        guard let session, let incoming = BIO_new(BIO_s_mem()), let outgoing = BIO_new(BIO_s_mem()) else {
            throw TLSError("make a foreign peer", reasons: [])
        }
        SSL_set_bio(session, incoming, outgoing)
        (ssl, self.incoming, self.outgoing, self.keeper) = (session, incoming, outgoing, keeper)
    }

    deinit { SSL_free(ssl) }

    /// Has it speak TLS 1.2 and nothing else.
    func speakOnlyTLS12() {
        SSL_ctrl(ssl, SSL_CTRL_SET_MIN_PROTO_VERSION, CLong(TLS1_2_VERSION), nil)
        SSL_ctrl(ssl, SSL_CTRL_SET_MAX_PROTO_VERSION, CLong(TLS1_2_VERSION), nil)
    }

    /// Has a client offer bytes ahead of the handshake, under a key that it claims to share with the server.
    func offerEarly(_ bytes: [UInt8]) {
        SSL_set_psk_use_session_callback(ssl) { ssl, _, identity, length, session in
            let key = [UInt8](repeating: 7, count: 32)
            let made = SSL_SESSION_new()
            SSL_SESSION_set1_master_key(made, key, key.count)
            SSL_SESSION_set_cipher(made, SSL_CIPHER_find(ssl, [0x13, 0x01]))
            SSL_SESSION_set_protocol_version(made, TLS1_3_VERSION)
            SSL_SESSION_set_max_early_data(made, 1024)
            identity?.pointee = ForeignPeer.keyName
            length?.pointee = 3
            session?.pointee = made
            return 1
        }
        var count = 0
        SSL_write_early_data(ssl, bytes, bytes.count, &count)
    }

    /// Lives as long as the program, as OpenSSL demands of a name that it is lent.
    nonisolated(unsafe) private static let keyName: UnsafePointer<UInt8> = {
        let bytes = UnsafeMutablePointer<UInt8>.allocate(capacity: 3)
        bytes.initialize(repeating: 0x6B, count: 3)
        return UnsafePointer(bytes)
    }()

    /// Whether the peer took what came ahead of the handshake.
    var earlyDataWasAccepted: Bool { SSL_get_early_data_status(ssl) == SSL_EARLY_DATA_ACCEPTED }

    /// Takes the handshake as far as `input` goes; returns whether it is complete.
    func handshake(_ input: inout FlatBuffer, _ output: inout FlatBuffer) -> Bool {
        BIO_write(incoming, input.readPointer, CInt(input.count))
        input.clear()
        let isDone = SSL_do_handshake(ssl) == 1
        let count = BIO_read(outgoing, output.writePointer, CInt(output.room))
        if count > 0 { output.produced(Int(count)) }
        return isDone
    }
}
