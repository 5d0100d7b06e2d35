import Foundation
import Glibc
import Observability
import TendrilCore
import Testing

@Suite("Where metrics are served")
struct HTTPEndpointTests {
    /// Whether an interface besides the loopback device has an address.
    static var hasIPv6: Bool {
        let text = (try? String(contentsOfFile: "/proc/net/if_inet6", encoding: .utf8)) ?? ""
        return text.split(separator: "\n").contains { !$0.hasSuffix(" lo") }
    }

    @Test(
        "is not at IPv4 alone, without a word, where somebody else has the port by IPv6",
        .enabled(if: HTTPEndpointTests.hasIPv6)
    )
    func needsBoth() throws {
        let taken = socket(AF_INET6, CInt(SOCK_STREAM.rawValue), 0)
        try #require(taken >= 0)
        defer { close(taken) }
        var isAlone: CInt = 1
        let length = socklen_t(MemoryLayout<CInt>.size)
        setsockopt(taken, CInt(IPPROTO_IPV6), IPV6_V6ONLY, &isAlone, length)
        // The kernel gives a port at every address.
        let listening = listen(taken, 1)
        try #require(listening == 0)
        var address = sockaddr_in6()
        var size = socklen_t(MemoryLayout<sockaddr_in6>.size)
        let named = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(taken, $0, &size) }
        }
        try #require(named == 0)
        let endpoint = Endpoint(host: "", port: UInt16(bigEndian: address.sin6_port))
        #expect(throws: HTTPEndpointError.self) { try HTTPEndpoint(endpoint, metrics: { "" }) }
    }
}
