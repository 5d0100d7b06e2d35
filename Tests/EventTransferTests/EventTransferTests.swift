import EventTransfer
import Foundation
import HTTPModel
import LinuxSystem
import TLSEngine
import TendrilCore
import TestSupport
import Testing

/// A CA, a server's certificate for an address or name, and a client's, in files of their own.
private final class Credentials {
    private let directory: TestDirectory
    let authority: [UInt8]
    let client: (certificate: [UInt8], key: Secret)

    init(names: AlternativeNames) throws {
        directory = try TestDirectory()
        let issuer = try CertificateIssuer(name: "test", days: 1)
        authority = try issuer.authorityPEM()
        let signer = try RequestAuthority(certificate: authority, key: try issuer.authorityKeyPEM())
        let key = try KeyPair()
        let server = try signer.issue(
            key,
            subject: SubjectName([.init("CN", "server")]),
            names: names,
            usages: [.server],
            lifetime: 3600
        )
        let own = try KeyPair()
        client = (
            try signer.issue(own, subject: SubjectName([.init("CN", "client")]), usages: [.client], lifetime: 3600),
            try own.pem()
        )
        for (name, bytes) in [("ca", authority), ("crt", server), ("key", try key.pem().copied)] {
            try Data(bytes).write(to: URL(fileURLWithPath: path(name)))
        }
    }

    func path(_ name: String) -> String { "\(directory.path)/\(name)" }
}

private let anyAddress = AlternativeNames(addresses: [IPAddress(v4: 0x7F00_0001)])

/// Sends one request to a server that answers with these parts; what came back, and what the server was asked.
private func exchange(
    _ parts: [String],
    names: AlternativeNames = anyAddress,
    asksForCertificate: Bool = false,
    credential: HTTPSecurity.Credential? = nil,
    believes authority: [UInt8]? = nil,
    timeout: Nanoseconds? = .seconds(60),
    silence: Nanoseconds = .seconds(60),
    bodyLimit: Int = 4096,
    host: String = "127.0.0.1",
    receive: (@Sendable (UnsafeRawBufferPointer) -> Bool)? = nil
) async throws -> (result: Result<HTTPResponse, TransferError>, asked: String) {
    let files = try Credentials(names: names)
    let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("one-answer.py")
    let arguments =
        [
            script.path, files.path("port"), files.path("crt"), files.path("key"),
            asksForCertificate ? files.path("ca") : "-",
        ]
        + parts
    async let served = Blocking.run("server") {
        try ChildProcess.run("/usr/bin/env", ["python3"] + arguments, timeout: .seconds(600))
    }
    let port = try await port(in: files.path("port"))
    var request = HTTPRequest(.get, "https://\(host):\(port)/x?y=1", headers: [("Accept", "text/plain")])
    (request.timeout, request.silence, request.bodyLimit) = (timeout, silence, bodyLimit)
    let security = HTTPSecurity(
        trust: .bundle(authority ?? files.authority),
        credential: credential ?? .certificate(files.client.certificate, key: files.client.key)
    )
    let transfer = try EventTransfer()
    let result: Result<HTTPResponse, TransferError>
    do throws(TransferError) {
        if let receive {
            result = .success(try await transfer.stream(request, security, receive: receive))
        } else {
            result = .success(try await transfer.send(request, security))
        }
    } catch {
        result = .failure(error)
    }
    return (result, try await served.output)
}

/// A port at which nobody listens, for the moment.
private func freePort() throws -> UInt16 {
    try StreamSocket(listeningAt: SocketAddress(IPAddress(v4: 0x7F00_0001), port: 0)).localAddress()?.port ?? 0
}

/// Waits until the server has written down the port at which it listens: to connect would take the only answer.
private func port(in file: String) async throws -> UInt16 {
    for _ in 0..<2400 {
        if let text = try? String(contentsOfFile: file, encoding: .utf8), let port = UInt16(text) { return port }
        try await Task.sleep(nanoseconds: 25_000_000)
    }
    Issue.record("no server")
    return 0
}

private func kind(_ result: Result<HTTPResponse, TransferError>) -> TransferError.Kind? {
    if case .failure(let error) = result { error.kind } else { nil }
}

private let head = #"HTTP/1.1 200 OK\r\nX-A: b\r\nContent-Length: 5\r\n\r\n"#

@Suite("Requests by libevent", .timeLimit(.minutes(10)))
struct EventTransferTests {
    @Test("ask and are answered over TLS, with a certificate where one is wanted")
    func asks() async throws {
        let (result, asked) = try await exchange([head, "hello"], asksForCertificate: true)
        let response = try result.get()
        #expect(response.status == 200 && response.headers["x-a"] == "b" && response.body == Array("hello".utf8))
        #expect(asked.hasPrefix("GET /x?y=1 HTTP/1.1\r\n") && asked.contains("Accept: text/plain\r\n"))
        #expect(asked.contains("Connection: close\r\n") && !asked.contains("Authorization"))
    }

    @Test("carry a token")
    func token() async throws {
        let (result, asked) = try await exchange([head, "hello"], credential: .token(Secret("abc".utf8)))
        #expect(try result.get().status == 200 && asked.contains("Authorization: Bearer abc\r\n"))
    }

    @Test("hand over what comes as it comes, and go on until the end")
    func streams() async throws {
        let parts = Guarded<[String]>([])
        let isLimited = Guarded(false)
        let chunks = [
            #"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"#, #"3\r\none\r\n"#, #"3\r\ntwo\r\n0\r\n\r\n"#,
        ]
        let (result, _) = try await exchange(chunks, timeout: nil) { bytes in
            parts.withLock { $0.append(String(decoding: bytes, as: UTF8.self)) }
            isLimited.withLock { $0 = OpenSockets.limits().contains(30_000) }
            return true
        }
        #expect(isLimited.withLock { $0 }, "a peer that is gone is noticed")
        #expect(try result.get().body.isEmpty && parts.withLock { $0 } == ["one", "two"])
    }

    @Test("give up what nobody wants any more")
    func abandons() async throws {
        let chunks = [#"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"#, #"3\r\none\r\n"#, "silence"]
        let (result, _) = try await exchange(chunks, timeout: nil) { _ in false }
        #expect(kind(result) == .cancelled)
    }

    @Test("keep the body of a refusal, streamed or not")
    func refusals() async throws {
        let gone = #"HTTP/1.1 410 Gone\r\nContent-Length: 4\r\n\r\ngone"#
        let (result, _) = try await exchange([gone], timeout: nil) { _ in true }
        let response = try result.get()
        #expect(response.status == 410 && response.body == Array("gone".utf8))
    }

    @Test("end with the reason where there is no answer")
    func failures() async throws {
        let (cut, _) = try await exchange([head, "he"])
        #expect(kind(cut) == .interrupted)
        let (late, _) = try await exchange(["silence"], timeout: .milliseconds(300))
        #expect(kind(late) == .timeout)
        let (silent, _) = try await exchange([head, "silence"], timeout: nil, silence: .milliseconds(300)) { _ in true }
        #expect(kind(silent) == .timeout)
        let (large, _) = try await exchange([head, "hello"], bodyLimit: 4)
        #expect(kind(large) == .tooLarge)
        let nobody = HTTPRequest(.get, "https://127.0.0.1:\(try freePort())/")
        await #expect(throws: TransferError.self) {
            try await EventTransfer().send(nobody, HTTPSecurity(trust: .system))
        }
    }

    @Test("believe no server of another CA, and none that is another host")
    func distrusts() async throws {
        let other = try CertificateIssuer(name: "other", days: 1).authorityPEM()
        let (foreign, asked) = try await exchange([head, "hello"], believes: other)
        #expect(kind(foreign) == .untrusted && !asked.contains("GET"))
        let (elsewhere, unasked) = try await exchange([head, "hello"], names: AlternativeNames(hosts: ["example.org"]))
        #expect(kind(elsewhere) == .untrusted && !unasked.contains("GET"))
        let (named, _) = try await exchange(
            [head, "hello"],
            names: AlternativeNames(hosts: ["localhost"]),
            host: "localhost"
        )
        #expect(try named.get().status == 200)
        let (misnamed, _) = try await exchange(
            [head, "hello"],
            names: AlternativeNames(hosts: ["other"]),
            host: "localhost"
        )
        #expect(kind(misnamed) == .untrusted)
    }

    @Test(
        "are not sent where they may not be",
        arguments: ["http://127.0.0.1:1/", "https:///", "https://a b/", "ftp://a/", "https://a/\r\nX: y"]
    )
    func refused(url: String) async throws {
        let transfer = try EventTransfer()
        do throws(TransferError) {
            _ = try await transfer.send(HTTPRequest(.get, url), HTTPSecurity(trust: .system))
            Issue.record("sent")
        } catch {
            #expect(error.kind == .badRequest)
        }
    }
}
