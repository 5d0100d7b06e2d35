import TLSEngine
import TendrilCore
import Testing

@Suite("Certificate requests")
struct RequestTests {
    private static let openssl = "-----BEGIN CERTIFICATE REQUEST-----\n"

    @Test("say what was asked for")
    func roundTrip() throws {
        let key = try KeyPair()
        let names = AlternativeNames(
            hosts: ["w1"],
            addresses: [try #require(IPAddress("10.0.0.1")), try #require(IPAddress("fd00::1"))],
            uris: ["spiffe://c/agent/w1"]
        )
        let pem = try CertificateRequest.make(
            subject: SubjectName(user: "tendril:agent:w1", groups: ["a", "b"]),
            names: names,
            key: key
        )
        let request = try CertificateRequest(pem: pem)
        #expect(request.subject.user == "tendril:agent:w1" && request.subject.groups == ["a", "b"])
        #expect(request.names == names && request.key == .p256 && request.otherExtensions.isEmpty)
        #expect(request.keyDigest == key.digest)
    }

    @Test("are refused with any byte of them changed, or read as something that they do not prove")
    func mutations() throws {
        let key = try KeyPair()
        let pem = try CertificateRequest.make(
            subject: SubjectName(user: "u"),
            names: AlternativeNames(uris: ["spiffe://c/agent/w1"]),
            key: key
        )
        let body = pem.split(separator: 0x0A).dropFirst().dropLast().joined()
        // One symbol of base64 for another: the signature covers it, or it is the signature.
        for index in body.indices {
            var changed = Array(body)
            let place = body.distance(from: body.startIndex, to: index)
            changed[place] = changed[place] == UInt8(ascii: "A") ? UInt8(ascii: "B") : UInt8(ascii: "A")
            let text = Array(Self.openssl.utf8) + changed + Array("\n-----END CERTIFICATE REQUEST-----\n".utf8)
            guard let request = try? CertificateRequest(pem: text) else { continue }
            #expect(request.subject.user == "u" && request.keyDigest == key.digest, "byte \(place)")
        }
    }

    @Test(
        "are refused when they are none",
        arguments: ["", "x", "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n"]
    )
    func garbage(text: String) {
        #expect(throws: TLSError.self) { try CertificateRequest(pem: Array(text.utf8)) }
    }

    @Test("are refused beyond their largest size")
    func large() {
        let pem = [UInt8](repeating: UInt8(ascii: "A"), count: CertificateRequest.maximumByteCount + 1)
        #expect(throws: TLSError.self) { try CertificateRequest(pem: pem) }
    }

    @Test("A subject with two common names, or anything but names and organisations, is no user")
    func subjects() {
        #expect(SubjectName([.init("CN", "a"), .init("CN", "b")]).user == nil)
        #expect(SubjectName([.init("O", "a")]).user == nil)
        #expect(SubjectName([.init("CN", "a"), .init("emailAddress", "x")]).user == nil)
        #expect(SubjectName([.init("O", "g"), .init("CN", "a")]).user == "a")
    }

    @Test("A CA issues what it is told, not what the request asks for")
    func issuing() throws {
        let (certificate, key) = try authority()
        let authority = try RequestAuthority(certificate: certificate, key: key)
        let pair = try KeyPair()
        let asked = try CertificateRequest.make(
            subject: SubjectName(user: "root", groups: ["system:masters"]),
            key: pair
        )
        let issued = try authority.issue(
            try CertificateRequest(pem: asked),
            subject: SubjectName(user: "tendril:agent:w1", groups: ["tendril:agents"]),
            names: AlternativeNames(uris: ["spiffe://c/agent/w1"]),
            lifetime: 3600
        )
        let facts = try CertificateFacts(pem: issued, "certificate")
        #expect(facts.subject.user == "tendril:agent:w1" && facts.subject.groups == ["tendril:agents"])
        #expect(facts.names.uris == ["spiffe://c/agent/w1"] && facts.keyDigest == pair.digest)
        #expect((3500...3700).contains(Int(facts.expiry - facts.start) - 300))
        #expect(facts.moment(at: 0.5) == facts.start + (facts.expiry - facts.start) / 2)
    }

    @Test("A CA whose key is another's is refused")
    func foreignKey() throws {
        let (certificate, _) = try authority()
        let key = try KeyPair().pem()
        #expect(throws: TLSError.self) { try RequestAuthority(certificate: certificate, key: key) }
    }

    private func authority() throws -> ([UInt8], Secret) {
        // A leaf does for a signer here: what signs is the key.
        let issued = try CertificateIssuer(name: "ca", days: 2).issue(TestIdentity.server, days: 1)
        return (issued.certificate, issued.key)
    }
}

private enum TestIdentity {
    static var server: TunnelIdentity {
        guard let identity = TunnelIdentity(uri: "spiffe://c/vpn/server/a") else {
            fatalError("the identity is well-formed")
        }
        return identity
    }
}

@Suite("Signing keys")
struct SigningKeyTests {
    @Test("sign what only they sign, and come back from PEM")
    func signatures() throws {
        let key = try SigningKey()
        let document = Array("document".utf8)
        let signature = try key.sign(document)
        let again = try SigningKey(pem: try key.pem())
        let verifying = try again.verifyingKey()
        #expect(verifying.isValid(signature, of: document))
        #expect(!verifying.isValid(signature, of: document + [0]))
        #expect(!verifying.isValid(Array(signature.dropLast()), of: document))
        #expect(!verifying.isValid([], of: document))
        #expect(!(try SigningKey().verifyingKey()).isValid(signature, of: document))
        for index in signature.indices {
            var changed = signature
            changed[index] ^= 1
            #expect(!verifying.isValid(changed, of: document))
        }
    }

    @Test("of another kind are refused")
    func kinds() throws {
        let pem = try KeyPair().pem()
        #expect(throws: TLSError.self) { try SigningKey(pem: pem) }
        #expect(throws: TLSError.self) { try VerifyingKey([1, 2, 3]) }
    }

    @Test("lead to certificates that say which of two CAs of one name issued them")
    func issuers() throws {
        let first = try CertificateIssuer(name: "ca", days: 1)
        let second = try CertificateIssuer(name: "ca", days: 1)
        let authority = try RequestAuthority(certificate: try first.authorityPEM(), key: try first.authorityKeyPEM())
        let pem = try authority.issue(KeyPair(), subject: SubjectName(user: "u"), usages: [.client], lifetime: 60)
        let leaf = try CertificateFacts(pem: pem, "leaf")
        let (mine, other) = (
            try CertificateFacts(pem: try first.authorityPEM(), "ca"),
            try CertificateFacts(pem: try second.authorityPEM(), "ca")
        )
        #expect(leaf.issuerKeyID == mine.keyID && !mine.keyID.isEmpty && mine.keyID != other.keyID)
    }
}
