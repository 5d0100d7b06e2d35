import Foundation
import LinuxSystem
import TLSEngine
import TendrilCore
import Testing

@Suite("Bad input", .serialized, .enabled(if: Lab.obstacle == nil, "\(Lab.obstacle ?? "")"))
struct BadInputTests {
    @Test("from a peer with the wrong certificate is refused with the reason on both sides")
    func wrongCertificates() throws {
        let lab = try Lab()
        let issuer = try CertificateIssuer(name: "test", days: 30)
        let pki = "\(lab.directory)/pki"
        func write(_ file: String, _ identity: TunnelIdentity?, days: Int = 1, from start: Int = 0) throws {
            let issued = try issuer.issue(try #require(identity), days: days, from: start)
            try DurableFile.write(issued.certificate, to: "\(pki)/\(file).crt", mode: 0o644)
            try DurableFile.write(
                issued.key.withBytes { $0.withUnsafeBytes { Array($0) } },
                to: "\(pki)/\(file).key",
                mode: 0o600
            )
        }
        try DurableFile.write(try issuer.authorityPEM(), to: "\(pki)/ca.crt", mode: 0o644)
        try write("server", TunnelIdentity(cluster: "test", role: .server, name: "s"))
        let server = try lab.startTunnel("server")
        for (name, identity, start, reason) in [
            (
                "other cluster", TunnelIdentity(cluster: "foreign", role: .client, name: "c"), 0,
                "belongs to cluster foreign"
            ),
            (
                "expired", TunnelIdentity(cluster: "test", role: .client, name: "c"), -3 * 86400,
                "certificate has expired"
            ),
        ] {
            try write("client", identity, days: 1, from: start)
            let client = try lab.startTunnel("client")
            try lab.waitUntil("\(name) is refused") { server.text.contains(reason) && client.text.contains("no link") }
            client.end(SIGKILL)
            #expect(try lab.liveLinks("server") == 0)
        }
        // The other role is refused before anything is sent.
        try write("client", TunnelIdentity(cluster: "test", role: .server, name: "c"))
        let client = try lab.startTunnel("client")
        #expect(client.wait() == 71 && client.text.contains("it is a server's, not a client's"))
    }

    @Test("Whoever asks for anything while there are no descriptors waits, and the program does not turn in circles")
    func noDescriptors() throws {
        let lab = try Lab()
        let server = try lab.startStreams("seed", "server", ["--metrics", "10.1.0.1:8133"])
        try lab.waitUntil("it answers") { (try? lab.liveLinks("server")) == 0 }
        func limitDescriptors(to count: Int) throws {
            _ = try Lab.run(["prlimit", "--pid", "\(server.identifier)", "--nofile=\(count):"])
        }
        try limitDescriptors(to: 3)
        let program = try #require(Lab.program)
        let visitor = try lab.start("seed", [program, "status", "--socket", "\(lab.directory)/server.sock"])
        let scraper = try lab.start("pod-s", ["curl", "-sS", "--max-time", "90", "http://10.1.0.1:8133/metrics"])
        try lab.waitUntil("somebody wants metrics") {
            try lab.output("pod-s", ["ss", "-Htn", "state", "established", "dport = :8133"]).contains(":8133")
        }
        try lab.waitUntil("it cannot let the visitor in") { try lab.says(server, "out of descriptors") }
        let before = server.processorTime
        usleep(1_000_000)
        #expect(server.processorTime - before < 0.3)
        try limitDescriptors(to: 1024)
        // Without a link, as the answer says.
        #expect(visitor.wait() == 1, "\(visitor.text)")
        #expect(scraper.wait() == 0 && scraper.text.contains("tendril_vpn_links"), "\(scraper.text)")
        // Nothing is said at every turn.
        #expect(server.text.split(separator: "\n").count < 60, "\(server.text)")
    }

    @Test("of strangers changes nothing: garbage, idle connections, no gate key")
    func strangers() throws {
        let lab = try Lab()
        let pair = try lab.startPair()
        let memory = pair.server.residentMemory
        let flood = try lab.tool(
            "shoot",
            ["flood", "--connect", "192.0.2.1:8132", "--rate", "2000", "--seconds", "1.5"],
            figure: "per_second"
        )
        let idle = try lab.tool(
            "shoot",
            ["idle", "--connect", "192.0.2.1:8132", "--count", "5000", "--seconds", "1"],
            figure: "held"
        )
        #expect(idle == 5000)
        #expect(try lab.metric("tendril_vpn_handshakes_total", "gate-not-tls") > flood * 1.5 / 3 && flood > 100)
        // A perfect TLS client without a token hears nothing at all.
        let silence = try lab.shell("shoot", "openssl s_client -connect 192.0.2.1:8132 -tls1_3 </dev/null 2>&1 || true")
        #expect(silence.contains("SSL handshake has read 0 bytes"), "\(silence)")
        // The right certificates without the gate key get no answer, not a byte.
        let keyless = "\(lab.directory)/keyless"
        try Lab.run(["cp", "-r", "\(lab.directory)/pki", keyless])
        try Lab.issue("\(lab.directory)/other")
        try Lab.run(["cp", "\(lab.directory)/other/gate.key", "\(keyless)/gate.key"])
        let stranger = try lab.startTunnel(
            "client",
            ["--no-packets", "--socket", "\(lab.directory)/other.sock"],
            pki: keyless
        )
        try lab.waitUntil("it is turned away") { try lab.metric("tendril_vpn_handshakes_total", "gate-bad-token") > 0 }
        try lab.waitUntil("it says so") {
            stranger.text.contains("closed the connection") || stranger.text.contains("no link")
        }
        stranger.end(SIGTERM)
        try lab.waitUntil("visitors leave") { try lab.metric("tendril_vpn_visitors") == 0 }
        #expect(pair.server.isRunning && lab.ping("10.2.0.10"))
        let links = try lab.status("server")["links"] as? [[String: Any]]
        #expect(links?.first?["reconnects"] as? Int == 0)
        #expect(pair.server.residentMemory - memory < 12_000, "\(memory) -> \(pair.server.residentMemory) KiB")
        // However many they were, each kind has its ten lines a minute.
        #expect(pair.server.text.split(separator: "\n").count < 60)
    }

    @Test("that drips, byte by byte and never whole, is cut off in time, costs little and delays nobody")
    func drips() throws {
        let lab = try Lab()
        let pair = try lab.startPair()
        let memory = pair.server.residentMemory
        let watch = try Stopwatch()
        let drip = try lab.start("shoot", [try #require(Lab.tools), "drip", "--connect", "192.0.2.1:8132"])
        try lab.waitUntil("they are at the door") { try lab.metric("tendril_vpn_visitors") == 500 }
        let ping = try lab.output("pod-s", ["ping", "-q", "-i", "0.02", "-c", "100", "10.2.0.10"])
        #expect(ping.contains(" 0% packet loss"), "\(ping)")
        #expect(pair.server.residentMemory - memory < 8_000, "\(memory) -> \(pair.server.residentMemory) KiB")
        #expect(drip.wait() == 0)
        let passed = watch.seconds
        let figures = try JSONSerialization.jsonObject(with: Data(drip.text.utf8)) as? [String: Double]
        // Three seconds from the first byte to the last, however the bytes come.
        #expect(figures?["held"] == 500 && figures?["open"] == 0 && figures?["answered"] == 0, "\(drip.text)")
        #expect(figures?["lasted"].map { $0 >= 2.5 && min($0, passed) <= 4.5 } == true, "\(drip.text)")
        #expect(try lab.metric("tendril_vpn_handshakes_total", "gate-timeout") == 500)
        #expect(try lab.metric("tendril_vpn_link_reconnects_total") == 0)
    }

    @Test("in the command line or the environment ends in one clear error")
    func clearErrors() throws {
        let lab = try Lab()
        let first = try lab.startTunnel("server")
        try lab.waitUntil("it listens") { first.text.contains("listening") }
        let second = try lab.startTunnel("server", ["--tun", "second0", "--socket", "\(lab.directory)/second.sock"])
        #expect(second.wait() == 71)
        #expect(second.text.contains("could not listen at 192.0.2.1:8132: Address already in use"))
        let noCA = try lab.start(
            "seed",
            [
                try #require(Lab.program), "server", "--certificate", "x", "--key", "x", "--gate-key", "x",
                "--no-packets",
            ]
        )
        #expect(
            noCA.wait() == 78 && noCA.text.contains("error: ca: is missing: the server would not know whom to trust")
        )
        let arguments =
            "\(Lab.program ?? "") client --ca \(lab.directory)/pki/ca.crt --certificate \(lab.directory)/pki/client.crt --key \(lab.directory)/pki/client.key --gate-key \(lab.directory)/pki/gate.key --server 192.0.2.1:8132 --address 10.98.0.9/24 --network 10.2.0.0/24 --socket \(lab.directory)/x.sock"
        let noDevice = try lab.start(
            "shoot",
            ["unshare", "-m", "sh", "-c", "mount -t tmpfs none /dev/net && exec \(arguments)"]
        )
        #expect(noDevice.wait() == 71 && noDevice.text.contains("/dev/net/tun: No such file or directory"))
        let powerless = try lab.start(
            "shoot",
            ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "sh", "-c", "exec \(arguments)"]
        )
        #expect(powerless.wait() == 71 && powerless.text.contains("Operation not permitted"))
        let check = try lab.start("shoot", ["sh", "-c", "exec \(arguments) --check --mtu 12 --cipher rot13"])
        #expect(check.wait() == 78)
        #expect(
            check.text.contains("error: --mtu: \"12\" is not")
                && check.text.contains("error: --cipher: \"rot13\" is not")
        )
        let unknown = try lab.start("shoot", ["sh", "-c", "exec \(arguments) --congestion-control nosuch"])
        #expect(unknown.wait() == 71 && unknown.text.contains("could not use the congestion control nosuch"))
    }

    @Test("does not matter where packets are not carried: no device, no privilege")
    func noPackets() throws {
        let lab = try Lab()
        let options = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
        let pki = "\(lab.directory)/pki"
        let common = ["--gate-key", "\(pki)/gate.key", "--ca", "\(pki)/ca.crt", "--no-packets"]
        let server = try lab.start(
            "seed",
            options + [
                try #require(Lab.program), "server", "--listen", "192.0.2.1:8132", "--certificate", "\(pki)/server.crt",
                "--key", "\(pki)/server.key",
                "--socket", "\(lab.directory)/server.sock",
            ] + common
        )
        _ = try lab.start(
            "shoot",
            options + [
                try #require(Lab.program), "client", "--server", "192.0.2.1:8132", "--certificate", "\(pki)/client.crt",
                "--key", "\(pki)/client.key",
                "--socket", "\(lab.directory)/client.sock",
            ] + common
        )
        try lab.waitUntil("the link is live") { (try? lab.liveLinks("server")) == 1 }
        #expect(server.end(SIGTERM) == 0)
    }
}
