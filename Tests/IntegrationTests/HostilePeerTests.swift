import Foundation
import LinuxSystem
import TLSEngine
import TendrilCore
import TestSupport
import Testing

@Suite("A server and clients that are hostile", .serialized, .enabled(if: Lab.obstacle == nil, "\(Lab.obstacle ?? "")"))
struct HostilePeerTests {
    @Test("turns away who breaks the protocol, and counts it; it costs no memory, few lines, and nobody else's link")
    func brokenFrames() throws {
        let lab = try Lab()
        let issuer = try CertificateIssuer(name: "test", days: 30)
        func issue(_ role: TunnelIdentity.Role, _ name: String, of cluster: String = "test") throws -> Credentials {
            let identity = try #require(TunnelIdentity(cluster: cluster, role: role, name: name))
            let issued = try issuer.issue(identity, days: 1)
            return Credentials(
                authorities: try issuer.authorityPEM(),
                certificate: issued.certificate,
                key: issued.key
            )
        }
        let pki = "\(lab.directory)/pki"
        try DurableFile.write(try issuer.authorityPEM(), to: "\(pki)/ca.crt", mode: 0o644)
        for role in [TunnelIdentity.Role.server, .client] {
            let (own, file) = (try issue(role, "\(role)"), "\(pki)/\(role)")
            try DurableFile.write(own.certificate, to: "\(file).crt", mode: 0o644)
            let key = own.key.withBytes { $0.withUnsafeBytes { Array($0) } }
            try DurableFile.write(key, to: "\(file).key", mode: 0o600)
        }
        let pair = try lab.startPair()
        let hostile = try RawClient(lab, try issue(.client, "hostile"))
        let foreign = try RawClient(lab, try issue(.client, "hostile", of: "foreign"))
        let memory = pair.server.residentMemory
        // A hello that is none, a type that is none, and a length that a hello cannot have.
        let first: [[UInt8]] = [[1, 0, 0, 4, 9, 9, 9, 9], [99, 0, 0, 0], [1, 255, 255, 255]]
        // On a link: the same type, a heartbeat that is too short, and a second hello.
        let later: [[UInt8]] = [[99, 0, 0, 0], [2, 0, 0, 1, 0], [1, 0, 0, 1, 0]]
        let rounds = 200
        for round in 0..<rounds {
            for frame in first {
                let lane = try hostile.connect()
                try lane.send(frame)
                try lane.awaitEnd()
            }
            try foreign.connect().awaitEnd()
            let lane = try hostile.link()
            try lane.send(later[round % later.count])
            try lane.awaitEnd()
        }
        func count(_ result: String) throws -> Int {
            Int(try lab.metric("tendril_vpn_handshakes_total", "result=\"\(result)\""))
        }
        try lab.waitUntil("all of it is counted") {
            try count("protocol") == 3 * rounds && count("identity") == rounds && count("violation") == rounds
        }
        #expect(pair.server.residentMemory - memory < 12_000, "\(memory) -> \(pair.server.residentMemory) KiB")
        let links = try lab.status("server")["links"] as? [[String: Any]] ?? []
        let other = try #require(links.first { $0["name"] as? String == "client" })
        #expect(other["reconnects"] as? Int == 0 && other["state"] as? String == "up", "\(other)")
        #expect(lab.ping("10.2.0.10"))
        // Each kind has its ten lines a minute, of which this may take two.
        #expect(pair.server.text.split(separator: "\n").count < 120)
    }

    @Test("gives its kernel what the model allows of crafted packets and nothing else, and it takes all of that")
    func craftedPackets() throws {
        let lab = try Lab()
        let pki = "\(lab.directory)/pki"
        // Nothing is open but these: no flow was opened from the seed's side.
        let services = ["--allow-inbound", "tcp/10.1.0.9:443", "--allow-inbound", "tcp/[fd01::9]:443"]
        let server = try lab.startTunnel("server", services, networks: ["10.2.0.0/16", "fd02::/64"])
        try lab.waitUntil("it listens") { server.text.contains("listening") }
        try lab.shell("seed", Self.filter)
        func received() throws -> Int {
            let text = try lab.shell("seed", "cat /sys/class/net/tendril0/statistics/rx_packets")
            return try #require(Int(text.trimmingCharacters(in: .whitespacesAndNewlines)))
        }
        let before = try received()
        let credentials = Credentials(
            authorities: try DurableFile.read("\(pki)/ca.crt"),
            certificate: try DurableFile.read("\(pki)/client.crt"),
            key: Secret(try DurableFile.read("\(pki)/client.key"))
        )
        let lane = try RawClient(lab, credentials).link()
        var random = SeededGenerator(seed: 44)
        let model = HostilePacket.Model()
        var expected = 0
        for _ in 0..<500 {
            var frames: [UInt8] = []
            for _ in 0..<200 {
                let packet = HostilePacket.craft(&random)
                let header = HostilePacket.header(before: packet, &random)
                if model.delivered(header, packet) != nil { expected += 1 }
                frames += RawLane.frame(16, header + packet)
            }
            try lane.send(frames)
        }
        try lab.waitUntil("they are through") { try received() - before >= expected }
        usleep(500_000)
        #expect(try received() - before == expected && expected > 500)
        #expect(try lab.metric("tendril_vpn_dropped_packets_total", "reason=\"kernel\"") == 0)
        // But for those whose headers' checksums are wrong, which no filter sees.
        let (right, wrong) = (try counter(lab, "right"), try counter(lab, "wrong"))
        #expect(wrong == 0 && right > expected / 2 && right <= expected, "\(right) and \(wrong) of \(expected)")
        withExtendedLifetime(lane) {}
    }

    /// Counts in the seed what comes out of the tunnel, and lets none of it go on.
    private static let filter = """
        nft add table inet t
        nft add counter inet t right
        nft add counter inet t wrong
        nft 'add chain inet t p { type filter hook prerouting priority -300; }'
        nft add rule inet t p iifname tendril0 ip saddr 10.2.0.0/16 ip daddr 10.1.0.9 tcp dport 443 counter name right drop
        nft add rule inet t p iifname tendril0 ip6 saddr fd02::/64 ip6 daddr fd01::9 tcp dport 443 counter name right drop
        nft 'add rule inet t p iifname tendril0 ip saddr 10.2.0.0/16 ip daddr 10.1.0.9 icmp type { 3, 11, 12 } counter name right drop'
        nft 'add rule inet t p iifname tendril0 ip6 saddr fd02::/64 ip6 daddr fd01::9 icmpv6 type { 1, 2, 3, 4 } counter name right drop'
        nft add rule inet t p iifname tendril0 counter name wrong drop
        """

    private func counter(_ lab: Lab, _ name: String) throws -> Int {
        let text = try lab.shell("seed", "nft list counter inet t \(name)")
        return try #require(text.firstMatch(of: /packets ([0-9]+)/).flatMap { Int($0.1) })
    }
}
