import FoundationEssentials
import NodeAgent
import TendrilCore
import Testing

@Suite("What is taken out of texts")
struct SecretsTests {
    private static let token = Array("abcdef.0123456789abcdef".utf8)

    @Test("A token is found as itself and in base64, wherever it begins, and everything else stays", arguments: 0..<7)
    func tokenForms(offset: Int) throws {
        let before = Array("x-y-z-0".utf8.prefix(offset))
        let text = before + Self.token + Array(" and more".utf8)
        for content in [text, Array(Data(text).base64EncodedString().utf8)] {
            let clean = try #require(TokenForms.scrubbed(content, of: TokenForms.all(Self.token)))
            #expect(clean.count == content.count)
            #expect(TokenForms.scrubbed(clean, of: TokenForms.all(Self.token)) == nil)
            let decoded = Data(base64Encoded: Data(clean)).map { Array($0) } ?? clean
            #expect(!String(decoding: decoded, as: UTF8.self).contains("0123456789"))
            #expect(!String(decoding: clean, as: UTF8.self).contains("0123456789"))
        }
    }

    @Test("Files without the token are left alone")
    func untouched() {
        #expect(TokenForms.scrubbed(Array("abcdef.0123456789abcdeX".utf8), of: TokenForms.all(Self.token)) == nil)
        #expect(TokenForms.scrubbed([], of: TokenForms.all(Self.token)) == nil)
    }

    @Test(
        "A support bundle shows no secrets",
        arguments: [
            "the token abcdef.0123456789abcdef was used", "Authorization: Bearer s3cr3t-value",
            "password: s3cr3t-value",
            "{\"token\":\"s3cr3t-value\"}", "eyJhbGciOi.eyJzdWIi.c2lnbg x",
            "-----BEGIN PRIVATE KEY-----\ns3cr3t-value\n-----END PRIVATE KEY-----\nafter",
        ]
    )
    func redaction(text: String) {
        let clean = Redaction.clean(text)
        for secret in ["0123456789abcdef", "s3cr3t-value", "eyJzdWIi"] { #expect(!clean.contains(secret), "\(clean)") }
    }

    @Test("A support bundle keeps what is no secret")
    func kept() {
        let line =
            "2026-11-22T10:00:00Z ERROR tendril-agent: no API server answers: could not reach https://10.0.0.1:6443/api"
        #expect(Redaction.clean(line) == line)
    }
}

@Suite("Remediation")
struct RemediationTests {
    @Test("restarts after a minute, at most three times in half an hour, and then says so once")
    func circuit() {
        var remediation = Remediation()
        var actions: [(second: UInt64, action: Remediation.Action)] = []
        for second in stride(from: UInt64(0), through: 1200, by: 20) {
            let action = remediation.observe(isHealthy: false, at: MonotonicTime(nanoseconds: second * 1_000_000_000))
            if action != .nothing { actions.append((second, action)) }
        }
        #expect(actions.map(\.action) == [.restart, .restart, .restart, .giveUp])
        #expect(actions.map(\.second) == [60, 120, 180, 240])
    }

    @Test("forgets a short spell of ill health")
    func short() {
        var remediation = Remediation()
        for second in stride(from: UInt64(0), through: 2000, by: 20) {
            let isHealthy = second % 60 == 0
            let action = remediation.observe(
                isHealthy: isHealthy,
                at: MonotonicTime(nanoseconds: second * 1_000_000_000)
            )
            #expect(action == .nothing)
        }
    }
}

@Suite("The API server's clock")
struct ServerClockTests {
    @Test("is compared in minutes, and small differences are none")
    func minutes() {
        let header = "Sun, 06 Nov 1994 08:49:37 GMT"
        #expect(ServerClock.error(header, at: 784_111_777) == nil)
        #expect(ServerClock.error(header, at: 784_111_777 + 4 * 60) == nil)
        #expect(ServerClock.error(header, at: 784_111_777 + 61 * 60) == 61)
        #expect(ServerClock.error(header, at: 784_111_777 - 525_600 * 60) == -525_600)
        #expect(ServerClock.error("yesterday", at: 0) == nil)
        #expect(ServerClock.error(nil, at: 0) == nil)
    }
}
