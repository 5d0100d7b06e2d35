import FoundationEssentials
import LinuxSystem
import NodeAgent
import NodePlan
import TendrilCore
import Testing

@Suite("What is taken out of texts")
struct SecretsTests {
    private static let token = Array("abcdef.0123456789abcdef".utf8)

    /// Where the token is found in a content that comes in pieces of this size.
    private static func places(_ content: [UInt8], piece: Int) -> Set<Range<Int>> {
        var search = FormSearch(TokenForms.all(token))
        for start in stride(from: 0, to: content.count, by: piece) {
            content[start..<min(start + piece, content.count)].withUnsafeBytes { search.take($0) }
        }
        return search.found
    }

    @Test("A token is found as itself and in base64, wherever it begins and pieces end", arguments: 0..<7)
    func tokenForms(offset: Int) throws {
        let before = Array("x-y-z-0".utf8.prefix(offset))
        let text = before + Self.token + Array(" and more".utf8)
        for content in [text, Array(Data(text).base64EncodedString().utf8)] {
            for piece in [1, 7, 16, 29, 30, 31, 32, 1000] {
                var clean = content
                for place in Self.places(content, piece: piece) {
                    for index in place { clean[index] = UInt8(ascii: "x") }
                }
                #expect(Self.places(clean, piece: 1000).isEmpty)
                let decoded = Data(base64Encoded: Data(clean)).map { Array($0) } ?? clean
                #expect(!String(decoding: decoded, as: UTF8.self).contains("0123456789"))
                #expect(!String(decoding: clean, as: UTF8.self).contains("0123456789"))
            }
        }
    }

    @Test("Texts without the token are left alone")
    func untouched() {
        #expect(Self.places(Array("abcdef.0123456789abcdeX".utf8), piece: 10).isEmpty)
        #expect(Self.places([], piece: 10).isEmpty)
    }

    @Test("The token leaves files of any size, and a place that cannot be reached keeps nothing up")
    func cleanUp() throws {
        let machine = try TestMachine()
        let (large, token) = ("/var/lib/cloud/instances/i/user-data.txt", AgentConfiguration.tokenPath)
        try machine.write(token, Self.token + [0x0A])
        // The token stands across the end of what was the limit.
        let blank = [UInt8](repeating: UInt8(ascii: "-"), count: 16 << 20)
        try machine.write(large, Array(blank.dropLast(9) + Self.token + blank.prefix(1000)))
        try machine.write("/var/lib/cloud/other", "other text")
        machine.link("/run", to: "elsewhere")
        try TokenCleanUp(machine.context).run()
        #expect(try machine.text(token) == nil)
        let content = try #require(try machine.context.files.read(large, limit: 32 << 20))
        #expect(content.count == (16 << 20) - 9 + 23 + 1000 && Self.places(content, piece: 1 << 20).isEmpty)
        #expect(try machine.text("/var/lib/cloud/other") == "other text")
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
