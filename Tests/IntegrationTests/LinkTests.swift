import Foundation
import Testing

@Suite("A link between namespaces", .serialized, .enabled(if: Lab.obstacle == nil, "\(Lab.obstacle ?? "")"))
struct LinkTests {
    @Test("has fresh lanes at once where its own were reset", arguments: ["seed", "shoot"])
    func noticesReset(space: String) throws {
        let lab = try Lab()
        _ = try lab.startPair()
        try lab.waitUntil("both lanes are up") { try lab.lanes().count == 2 }
        let before = try lab.lanes()
        let start = Date()
        try lab.shell(space, "ss -K state established '( sport = 8132 or dport = 8132 )'")
        try lab.waitUntil("there are others", seconds: 1) {
            let now = try lab.lanes()
            return now.count == 2 && now.isDisjoint(with: before)
        }
        try lab.waitForPing(seconds: 1)
        #expect(Date().timeIntervalSince(start) < 1.5)
    }

    @Test("is made with either gate key while they are exchanged, and with the new one alone afterwards")
    func exchangesGateKey() throws {
        let lab = try Lab()
        let (old, new, both) = ("\(lab.directory)/old", "\(lab.directory)/new", "\(lab.directory)/both")
        let issue = [try #require(Lab.program), "certificates", "--cluster", "test"]
        try Lab.run(issue + ["--out", old, "--client-name", "a", "--client-name", "b"])
        try Lab.run(["sh", "-c", "cp -r \(old) \(new); cp -r \(old) \(both)"])
        try Lab.run(["sh", "-c", "cp \(lab.directory)/pki/gate.key \(new)/; cat \(new)/gate.key >>\(both)/gate.key"])
        _ = try lab.startStreams("seed", "server", ["--metrics", "10.1.0.1:8133"], pki: both)
        func startClients() throws -> [Program] {
            try [(old, "a"), (new, "b")].map { pki, name in
                try lab.startStreams("shoot", "client", [], pki: pki, file: name, socket: name)
            }
        }
        let clients = try startClients()
        try lab.waitUntil("both are in") { (try? lab.liveLinks("server")) == 2 }
        try Lab.run(["cp", "\(new)/gate.key", "\(both)/gate.key"])
        try lab.waitUntil("the server knows") { try lab.metric("tendril_vpn_reloads_total", "ok") >= 1 }
        // Who is in stays in: the key opens the door and no more.
        #expect(try lab.liveLinks("server") == 2)
        #expect(try lab.metric("tendril_vpn_handshakes_total", "gate-bad-token") == 0)
        for client in clients { client.end(SIGKILL) }
        _ = try startClients()
        try lab.waitUntil("one is turned away, and the other is in") {
            let refused = try lab.metric("tendril_vpn_handshakes_total", "gate-bad-token")
            return try refused >= 2 && liveClients(lab) == ["b"]
        }
    }

    private func liveClients(_ lab: Lab) throws -> [String] {
        let links = try lab.status("server")["links"] as? [[String: Any]] ?? []
        return links.filter { $0["state"] as? String == "up" }.compactMap { $0["name"] as? String }
    }
}
