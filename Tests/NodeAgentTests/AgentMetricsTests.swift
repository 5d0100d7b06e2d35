import Glibc
import LinuxSystem
import Logging
import NodeAgent
import TendrilCore
import Testing

@Suite("Metrics of an agent")
struct AgentMetricsTests {
    @Test("are served once the address can be had, and nothing else waits for that")
    func busyAddress() async throws {
        let loopback = try #require(IPAddress("127.0.0.1"))
        let listener = try StreamSocket(listeningAt: SocketAddress(loopback, port: 0))
        let local = listener.localAddress()
        let port = try #require(local?.port)
        let other = dup(listener.rawDescriptor)
        _ = consume listener
        let endpoint = Endpoint(host: "127.0.0.1", port: port)
        let isServed = Guarded(false)
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let serving = Task {
            await AgentMetrics.serve(endpoint, logger: logger, pause: .milliseconds(20))
            isServed.withLock { $0 = true }
        }
        try await Task.sleep(nanoseconds: 100_000_000)
        #expect(!isServed.withLock { $0 }, "somebody else has the address")
        close(other)
        await serving.value
        #expect(try answer(SocketAddress(loopback, port: port)).hasPrefix("HTTP/1.1 200"))
    }

    private func answer(_ address: SocketAddress) throws -> String {
        let connection = try address.connectBlocking()
        let request = Array("GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".utf8)
        guard write(connection.rawValue, request, request.count) == request.count else {
            throw SystemError("ask", code: errno)
        }
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = read(connection.rawValue, &bytes, bytes.count)
        return String(decoding: bytes.prefix(max(count, 0)), as: UTF8.self)
    }
}
