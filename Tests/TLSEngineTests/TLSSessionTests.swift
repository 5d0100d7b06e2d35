import COpenSSL
import TLSEngine
import TendrilCore
import Testing
import TunnelProtocol

/// Two sides whose bytes are carried by hand.
private final class Pair {
    var client: TLSSession
    var server: TLSSession
    var toServer = FlatBuffer(capacity: 256 * 1024)
    var toClient = FlatBuffer(capacity: 256 * 1024)

    init(client: borrowing TLSContext, server: borrowing TLSContext) throws {
        let clientSession = try TLSSession(context: client)
        let serverSession = try TLSSession(context: server)
        self.client = clientSession
        self.server = serverSession
    }

    /// Carries bytes until both sides are content, or one of them throws.
    func shakeHands() throws {
        var (clientDone, serverDone) = (false, false)
        for _ in 0..<10 where !(clientDone && serverDone) {
            clientDone = try client.handshake(&toClient, &toServer) == .done
            serverDone = try server.handshake(&toServer, &toClient) == .done
        }
        #expect(clientDone && serverDone)
    }
}

@Suite("TLS sessions")
struct TLSSessionTests {
    private func credentials(
        _ issuer: borrowing CertificateIssuer,
        _ role: TunnelIdentity.Role,
        days: Int = 1,
        from start: Int = 0
    ) throws -> Credentials {
        let identity = try #require(TunnelIdentity(cluster: "c", role: role, name: "n"))
        let issued = try issuer.issue(identity, days: days, from: start)
        return Credentials(authorities: try issuer.authorityPEM(), certificate: issued.certificate, key: issued.key)
    }

    private func context(_ credentials: Credentials, _ role: TunnelIdentity.Role, ciphers: [CipherSuite] = [.aes128])
        throws -> TLSContext
    {
        try TLSContext(credentials, role: role, ciphers: ciphers)
    }

    @Test("carry bytes both ways and know the peer", arguments: CipherSuite.allCases)
    func carryBytes(cipher: CipherSuite) throws {
        let issuer = try CertificateIssuer(name: "ca", days: 1)
        let client = try context(try credentials(issuer, .client), .client, ciphers: [cipher])
        let others = CipherSuite.allCases.filter { $0 != cipher }
        let narrow = try context(try credentials(issuer, .server), .server, ciphers: others)
        #expect(throws: TLSError.self) { try handshake(client, narrow) }
        let wide = try context(try credentials(issuer, .server), .server, ciphers: CipherSuite.allCases)
        let pair = try Pair(client: client, server: wide)
        try pair.shakeHands()
        let peer = pair.server.peer()
        #expect(peer?.identity == client.identity)
        let message = (0..<70_000).map { UInt8(truncatingIfNeeded: $0) }
        try pair.client.encrypt(message.span.bytes, into: &pair.toServer)
        pair.client.updateKey()
        try pair.client.encrypt(([1, 2, 3] as [UInt8]).span.bytes, into: &pair.toServer)
        var plaintext = FlatBuffer(capacity: 128 * 1024)
        let progress = try pair.server.decrypt(&pair.toServer, into: &plaintext, reply: &pair.toClient)
        let received = plaintext.copied
        #expect(
            progress == .needsCiphertext && received == message + [1, 2, 3],
            "\(received.count) \(received.suffix(5))"
        )
    }

    private func handshake(_ client: borrowing TLSContext, _ server: borrowing TLSContext) throws {
        let pair = try Pair(client: client, server: server)
        try pair.shakeHands()
    }

    @Test("refuse a peer of another CA, expired, not valid yet, or of the own role")
    func refusePeers() throws {
        let issuer = try CertificateIssuer(name: "ca", days: 30)
        let other = try CertificateIssuer(name: "ca", days: 30)
        let good = try context(try credentials(issuer, .server), .server)
        let foreign = try credentials(other, .client)
        let mixed = Credentials(
            authorities: try issuer.authorityPEM(),
            certificate: foreign.certificate,
            key: foreign.key
        )
        for (name, bad) in [
            ("foreign", mixed), ("expired", try credentials(issuer, .client, days: 1, from: -3 * 86400)),
            ("early", try credentials(issuer, .client, days: 1, from: 86400)),
        ] {
            let client = try context(bad, .client)
            #expect(throws: TLSError.self, "\(name)") { try handshake(client, good) }
        }
        // A server's certificate is not good for a client: its extended key usage says so.
        let expected = try credentials(issuer, .server)
        #expect(throws: TLSError.self) { _ = try context(expected, .client) }
    }

    /// Carries bytes between one of our sessions and a foreign peer; throws what ours says of it.
    private func shakeHands(_ context: borrowing TLSContext, _ peer: ForeignPeer) throws -> (
        isDone: Bool, toPeer: [UInt8]
    ) {
        var session = try TLSSession(context: context)
        var input = FlatBuffer(capacity: 64 * 1024)
        var output = FlatBuffer(capacity: 64 * 1024)
        var isDone = false
        for _ in 0..<5 where !isDone {
            _ = peer.handshake(&output, &input)
            isDone = try session.handshake(&input, &output) == .done
        }
        return (isDone, output.copied)
    }

    @Test("take a foreign peer that keeps to the rules, and refuse one without a certificate or with TLS 1.2 only")
    func refuseForeigners() throws {
        let issuer = try CertificateIssuer(name: "ca", days: 1)
        let (clients, servers) = (try credentials(issuer, .client), try credentials(issuer, .server))
        let client = try context(clients, .client)
        let server = try context(servers, .server)
        #expect(try shakeHands(server, ForeignPeer(client: clients)).isDone)
        #expect(try shakeHands(client, ForeignPeer(server: servers)).isDone)
        #expect(throws: TLSError.self) { _ = try shakeHands(server, ForeignPeer(client: nil)) }
        let (oldClient, oldServer) = (try ForeignPeer(client: clients), try ForeignPeer(server: servers))
        oldClient.speakOnlyTLS12()
        oldServer.speakOnlyTLS12()
        #expect(throws: TLSError.self) { _ = try shakeHands(server, oldClient) }
        #expect(throws: TLSError.self) { _ = try shakeHands(client, oldServer) }
    }

    @Test("refuse a server's certificate shown by a client, and a client's shown by a server")
    func refuseSwappedRoles() throws {
        let issuer = try CertificateIssuer(name: "ca", days: 1)
        let (clients, servers) = (try credentials(issuer, .client), try credentials(issuer, .server))
        let client = try context(clients, .client)
        let server = try context(servers, .server)
        let (asClient, asServer) = (try ForeignPeer(client: servers), try ForeignPeer(server: clients))
        #expect(refusal(server, asClient)?.contains("purpose") == true)
        #expect(refusal(client, asServer)?.contains("purpose") == true)
    }

    private func refusal(_ context: borrowing TLSContext, _ peer: ForeignPeer) -> String? {
        do {
            _ = try shakeHands(context, peer)
            return nil
        } catch {
            return "\(error)"
        }
    }

    @Test("give out no ticket, ask for none, and take nothing ahead of the handshake")
    func resumeNothing() throws {
        let issuer = try CertificateIssuer(name: "ca", days: 1)
        let clients = try credentials(issuer, .client)
        let server = try context(try credentials(issuer, .server), .server)
        // A server that gave out tickets would do it with its last step.
        let (isDone, afterwards) = try shakeHands(server, ForeignPeer(client: clients))
        #expect(isDone && afterwards.isEmpty)
        let eager = try ForeignPeer(client: clients)
        eager.offerEarly([1, 2, 3])
        #expect(try shakeHands(server, eager).isDone)
        #expect(!eager.earlyDataWasAccepted)
        let kinds = try helloExtensions(try context(clients, .client))
        #expect(kinds.contains(43) && kinds.isDisjoint(with: [35, 41, 42]), "\(kinds)")
    }

    /// The kinds of extensions in the ClientHello of a context (RFC 8446 section 4.2).
    private func helloExtensions(_ context: borrowing TLSContext) throws -> Set<Int> {
        var session = try TLSSession(context: context)
        var input = FlatBuffer(capacity: 1024)
        var output = FlatBuffer(capacity: 16 * 1024)
        _ = try session.handshake(&input, &output)
        let hello = output.copied
        func number(at index: Int) -> Int { Int(hello[index]) << 8 | Int(hello[index + 1]) }
        var index = 9 + 2 + 32
        index += 1 + Int(hello[index])
        index += 2 + number(at: index)
        index += 1 + Int(hello[index]) + 2
        var kinds: Set<Int> = []
        while index + 4 <= hello.count {
            kinds.insert(number(at: index))
            index += 4 + number(at: index + 2)
        }
        return kinds
    }

    @Test("agree on the hybrid key exchange where this OpenSSL has it, and on X25519 where not")
    func preferHybrid() throws {
        let issuer = try CertificateIssuer(name: "ca", days: 1)
        let client = try context(try credentials(issuer, .client), .client)
        let server = try context(try credentials(issuer, .server), .server)
        let pair = try Pair(client: client, server: server)
        try pair.shakeHands()
        let expected = OpenSSL_version_num() >= 0x3050_0000 ? "X25519MLKEM768" : "X25519"
        for parameters in [pair.client.parameters, pair.server.parameters] {
            #expect(parameters == "TLS_AES_128_GCM_SHA256 \(expected)")
        }
    }

    @Test("refuse bytes that were changed")
    func refuseTampering() throws {
        let issuer = try CertificateIssuer(name: "ca", days: 1)
        let client = try context(try credentials(issuer, .client), .client)
        let server = try context(try credentials(issuer, .server), .server)
        let pair = try Pair(client: client, server: server)
        try pair.shakeHands()
        try pair.client.encrypt(([7] as [UInt8]).span.bytes, into: &pair.toServer)
        let byte = pair.toServer.readPointer.load(fromByteOffset: 8, as: UInt8.self)
        pair.toServer.readPointer.storeBytes(of: byte ^ 1, toByteOffset: 8, as: UInt8.self)
        var plaintext = FlatBuffer(capacity: 1024)
        #expect(throws: TLSError.self) {
            _ = try pair.server.decrypt(&pair.toServer, into: &plaintext, reply: &pair.toClient)
        }
        let isEmpty = plaintext.isEmpty
        #expect(isEmpty)
    }

    @Test("judge a live peer again when the CA bundle changes")
    func judgeAgain() throws {
        let issuer = try CertificateIssuer(name: "ca", days: 1)
        let other = try CertificateIssuer(name: "new", days: 1)
        let client = try context(try credentials(issuer, .client), .client)
        let server = try context(try credentials(issuer, .server), .server)
        let pair = try Pair(client: client, server: server)
        try pair.shakeHands()
        let shown = pair.server.peer()
        let peer = try #require(shown)
        let fresh = try credentials(other, .server)
        let both = Credentials(
            authorities: try issuer.authorityPEM() + fresh.authorities,
            certificate: fresh.certificate,
            key: fresh.key
        )
        let trusted = try context(both, .server).stillTrusts(peer)
        let distrusted = try context(fresh, .server).stillTrusts(peer)
        #expect(trusted && !distrusted)
    }

    @Test("say what is wrong with the files")
    func explainFiles() throws {
        let issuer = try CertificateIssuer(name: "ca", days: 1)
        let (one, two) = (try credentials(issuer, .server), try credentials(issuer, .server))
        func message(_ credentials: Credentials) -> String {
            do {
                _ = try context(credentials, .server)
                return "accepted"
            } catch {
                return "\(error)"
            }
        }
        #expect(
            message(Credentials(authorities: one.authorities, certificate: one.certificate, key: two.key)).contains(
                "key"
            )
        )
        #expect(message(Credentials(authorities: [], certificate: one.certificate, key: one.key)).contains("CA bundle"))
        #expect(
            message(Credentials(authorities: one.authorities, certificate: Array("junk".utf8), key: one.key)).contains(
                "certificate"
            )
        )
        #expect(
            message(Credentials(authorities: one.authorities, certificate: one.certificate, key: Secret([1]))).contains(
                "key"
            )
        )
    }

    @Test("of a client carry a token that the gate lets in")
    func carryToken() throws {
        let keys = try GateKeys(file: try GateKeys.generateFile())
        let others = try GateKeys(file: try GateKeys.generateFile())
        let issuer = try CertificateIssuer(name: "ca", days: 1)
        let context = try TLSContext(try credentials(issuer, .client), role: .client, ciphers: [.aes128]) { random in
            GateToken(random: random, unixTime: 1_000_000, authenticate: keys.authenticate).payload
        }
        var session = try TLSSession(context: context, serverName: "vpn.example")
        var input = FlatBuffer(capacity: 1024)
        var output = FlatBuffer(capacity: 16 * 1024)
        _ = try session.handshake(&input, &output)
        let bytes = output.copied
        guard case .complete(let hello) = ClientHello.read(bytes.span) else {
            Issue.record("no hello")
            return
        }
        let now = MonotonicTime(nanoseconds: 1)
        #expect(throws: Gate.Refusal.badToken) {
            try Gate().admit(hello, unixTime: 1_000_000, at: now, verify: others.verify)
        }
        try Gate().admit(hello, unixTime: 1_000_000, at: now, verify: keys.verify)
    }
}

@Suite("Gate keys")
struct GateKeysTests {
    @Test("of which two may be valid at once")
    func twoAreValid() throws {
        let (old, new) = (try GateKeys.generateFile(), try GateKeys.generateFile())
        let both = try GateKeys(file: new + old)
        let message = Array("m".utf8)
        #expect(both.verify(message, try GateKeys(file: old).authenticate(message)))
        #expect(both.verify(message, try GateKeys(file: new).authenticate(message)))
        #expect(!both.verify(message, try GateKeys(file: try GateKeys.generateFile()).authenticate(message)))
        #expect(!both.verify(message, []))
    }

    @Test(
        "that are empty, short, uniform, many or no base64 are refused",
        arguments: [
            "", "# only a comment\n", "AAAA\n", "not base64!\n", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
            "aGVsbG8gaGVsbG8gaGVsbG8gaGVsbG8gaGVsbG8gaGVsbG8=\naGVsbG8gaGVsbG8gaGVsbG8gaGVsbG8gaGVsbG8gaGVsbG8=\naGVsbG8gaGVsbG8gaGVsbG8gaGVsbG8gaGVsbG8gaGVsbG8=\n",
        ]
    )
    func refusesOthers(text: String) {
        #expect(throws: TLSError.self) { try GateKeys(file: Array(text.utf8)) }
    }
}
