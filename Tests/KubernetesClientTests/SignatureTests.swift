import Glibc
import HTTPModel
import HTTPTransfer
import LinuxSystem
import TendrilCore
import TestSupport
import Testing

/// Answers one request on a loopback address, and keeps what came.
private final class OneAnswer: Sendable {
    var port: UInt16 { listener.port }
    /// What the other end's socket is set to while it waits for the answer.
    let limits = Guarded<[CInt]>([])
    private let listener = LoopbackListener()

    /// The request's lines up to its body.
    func lines() async throws -> [String] {
        let (listener, port, limits) = (listener, port, limits)
        let text = try await Blocking.run("answer") {
            let connection = accept(listener.descriptor, nil, nil)
            defer { close(connection) }
            var bytes = [UInt8](repeating: 0, count: 4096)
            let count = recv(connection, &bytes, bytes.count, 0)
            limits.withLock { $0 = OpenSockets.limits(to: port) }
            let answer = Array("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".utf8)
            _ = send(connection, answer, answer.count, CInt(MSG_NOSIGNAL))
            return String(decoding: bytes.prefix(max(count, 0)), as: UTF8.self)
        }
        return text.split(separator: "\r\n").map(String.init)
    }
}

@Suite("Signed requests")
struct SignatureTests {
    @Test("say who signed what, and sign no line that is not sent", .timeLimit(.minutes(10)))
    func signedLines() async throws {
        let server = OneAnswer()
        async let received = server.lines()
        let credential = HTTPSecurity.Credential.awsSignature(
            region: "eu-central-1",
            service: "autoscaling",
            keyID: "AKID",
            key: Secret("secret/+".utf8)
        )
        let request = HTTPRequest(
            .post,
            "http://127.0.0.1:\(server.port)/",
            headers: [("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")],
            body: Array("Action=A".utf8)
        )
        let response = try await HTTPTransfer().send(request, HTTPSecurity(trust: .system, credential: credential))
        #expect(response.status == 200)
        #expect(server.limits.withLock { $0 } == [30_000], "a peer that is gone is noticed")
        let lines = try await received
        let names = Set(lines.dropFirst().compactMap { $0.split(separator: ":").first.map { String($0).lowercased() } })
        let authorization = try #require(lines.first { $0.hasPrefix("Authorization: AWS4-HMAC-SHA256 ") })
        #expect(authorization.contains("Credential=AKID/") && !authorization.contains("secret"))
        #expect(authorization.contains("/eu-central-1/autoscaling/aws4_request"))
        let signed = try #require(authorization.firstMatch(of: /SignedHeaders=([a-z0-9;-]+)/)).output.1
        #expect(signed.contains("content-type") && signed.contains("host"))
        #expect(signed.split(separator: ";").allSatisfy { names.contains(String($0)) }, "\(authorization) \(names)")
    }
}
