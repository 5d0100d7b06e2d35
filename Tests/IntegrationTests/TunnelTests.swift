import Foundation
import LinuxSystem
import TendrilCore
import Testing

@Suite("The tunnel between namespaces", .serialized, .enabled(if: Lab.obstacle == nil, "\(Lab.obstacle ?? "")"))
struct TunnelTests {
    @Test("carries IPv4 and IPv6, small and large, at every MTU", arguments: [1280, 1500, 9000])
    func carries(mtu: Int) throws {
        let lab = try Lab(mtu: mtu)
        _ = try lab.startPair(mtu: mtu)
        try lab.startListening("pod-c", ["iperf3", "-s"], at: 5201)
        try lab.waitForPing("fd02::10")
        #expect((0..<3).contains { _ in lab.ping("10.2.0.10", ["-M", "do", "-s", "\(mtu - 28)"]) })
        for target in ["10.2.0.10", "fd02::10"] {
            for direction in [[], ["-R"]] {
                let text = try lab.output("pod-s", ["iperf3", "-c", target, "-t", "1", "-J"] + direction)
                let sum = try Lab.received(text)
                #expect(sum > 10_000_000, "\(target) \(direction)")
            }
        }
        // Datagrams too: a tenth of what fits must arrive.
        let udp = try lab.output(
            "pod-s",
            ["iperf3", "-c", "10.2.0.10", "-u", "-b", "100M", "-l", "1200", "-t", "1", "-J"]
        )
        #expect(try Lab.received(udp, "sum") > 1_250_000)
    }

    @Test("tells a sender the smaller MTU of the far end, and clamps connections to it")
    func answersTooBig() throws {
        let lab = try Lab(mtu: 9000)
        _ = try lab.startTunnel("server", mtu: 9000)
        _ = try lab.startTunnel("client", mtu: 1400)
        try lab.waitForPing()
        let answer = try lab.shell("pod-s", "ping -c 2 -W 1 -M do -s 3000 10.2.0.10 2>&1 || true")
        #expect(answer.contains("mtu = 1400") || answer.contains("mtu=1400"), "\(answer)")
        try lab.startListening("pod-c", ["iperf3", "-s"], at: 5201)
        // A path that swallows ICMP must not hang connections: their segments fit from the start.
        try lab.shell(
            "seed",
            "nft add table inet t; nft 'add chain inet t f { type filter hook forward priority 0; }'; nft add rule inet t f icmp type destination-unreachable drop"
        )
        let text = try lab.output("pod-s", ["iperf3", "-c", "10.2.0.10", "-t", "1", "-J"])
        #expect(try Lab.received(text) > 10_000_000)
    }

    @Test("gets through a path that swallows large packets without a word", arguments: ["input", "output"])
    func survivesBlackHole(hook: String) throws {
        let lab = try labWithoutBursts()
        _ = try lab.startPair()
        try swallowLargePackets(lab, hook)
        try lab.waitUntil("full packets get through", within: 20) { lab.ping("10.2.0.10", ["-s", "1400"]) }
        // And go on to: the lanes do not die again.
        usleep(4_000_000)
        #expect((0..<3).contains { _ in lab.ping("10.2.0.10", ["-s", "1400"]) })
    }

    @Test(
        "makes its first connection, too, where the path swallows large packets, which certificates fill",
        arguments: ["input", "output"]
    )
    func beginsInBlackHole(hook: String) throws {
        let lab = try labWithoutBursts()
        try swallowLargePackets(lab, hook)
        // Both sides show certificates behind their own that lead nowhere.
        let other = "\(lab.directory)/other"
        try Lab.run([try #require(Lab.program), "certificates", "--cluster", "other", "--out", other])
        for side in ["server", "client"] {
            let file = "\(lab.directory)/pki/\(side).crt"
            try Lab.run(["sh", "-ec", "for i in 1 2 3 4; do cat \(other)/ca.crt >>\(file); done"])
        }
        for role in ["server", "client"] { _ = try lab.startTunnel(role) }
        try lab.waitUntil("full packets get through", within: 20) { lab.ping("10.2.0.10", ["-s", "1400"]) }
    }

    /// A lab between whose sides whole segments do not pass as one.
    private func labWithoutBursts() throws -> Lab {
        let lab = try Lab()
        for space in ["seed", "shoot"] { try lab.shell(space, "ip link set wan gso_max_segs 1 gso_max_size 1500") }
        return lab
    }

    /// Has the tunnel's large packets vanish without a word on their way into the shoot's side, or out of it.
    private func swallowLargePackets(_ lab: Lab, _ hook: String) throws {
        try lab.shell(
            "shoot",
            "nft add table inet t; nft 'add chain inet t c { type filter hook \(hook) priority 0; }'; nft add rule inet t c tcp dport 8132 meta length gt 1300 drop; nft add rule inet t c tcp sport 8132 meta length gt 1300 drop"
        )
    }

    @Test("misses a client that went, also where nobody said which there are")
    func missesTheDead() throws {
        let lab = try Lab()
        let pki = "\(lab.directory)/two"
        try Lab.issue(pki, ["--client-name", "a", "--client-name", "b"])
        _ = try lab.startStreams("seed", "server", [], pki: pki)
        var clients: [Program] = []
        for name in ["a", "b"] {
            clients.append(try lab.startStreams("shoot", "client", [], pki: pki, file: name, socket: name))
        }
        try lab.waitUntil("both are linked") { (try? lab.liveLinks("server")) == 2 }
        clients[0].end(SIGKILL)
        try lab.waitUntil("one is missed") { try lab.liveLinks("server") == 1 }
        clients[1].end(SIGKILL)
        _ = try lab.startStreams("shoot", "client", [], pki: pki, file: "b", socket: "b")
        try lab.waitUntil("the other is back") { try lab.liveLinks("server") == 1 }
        #expect(try lab.status("server")["linksExpected"] as? Int == 2)
    }

    @Test("comes back after either side was killed", arguments: ["server", "client"])
    func comesBack(role: String) throws {
        let lab = try Lab()
        let pair = try lab.startPair()
        (role == "server" ? pair.server : pair.client).end(SIGKILL)
        // The kernel ends the connections of the dead, and nobody waits out the silence.
        let other = role == "server" ? "client" : "server"
        try lab.waitUntil("the \(other) notices", within: 1) { try lab.liveLinks(other) == 0 }
        #expect(!lab.ping("10.2.0.10"))
        _ = try lab.startTunnel(role)
        try lab.waitForPing()
    }

    @Test("notices a path that is cut in one direction within 3 s, and heals", arguments: ["input", "output"])
    func noticesCut(hook: String) throws {
        let lab = try Lab()
        _ = try lab.startPair()
        try lab.waitUntil("both sides are ready") { try lab.liveLinks("client") == 1 && lab.liveLinks("server") == 1 }
        try lab.shell(
            "shoot",
            "nft add table inet t; nft 'add chain inet t c { type filter hook \(hook) priority 0; }'; nft add rule inet t c iifname wan drop; nft add rule inet t c oifname wan drop"
        )
        let watch = try Stopwatch()
        try lab.waitUntil("the client notices") { try lab.liveLinks("client") == 0 }
        #expect(watch.seconds < 3.5)
        try lab.waitUntil("the server notices") { try lab.liveLinks("server") == 0 }
        #expect(watch.seconds < 3.7)
        #expect(try lab.get("/readyz").hasPrefix("0 of"))
        try lab.shell("shoot", "nft delete table inet t")
        try lab.waitForPing(within: 15)
    }

    @Test("changes certificates, CA and gate key under load without losing a link")
    func changesCertificates() throws {
        let lab = try Lab()
        _ = try lab.startPair()
        try lab.startListening("pod-c", ["iperf3", "-s"], at: 5201)
        let load = try lab.start("pod-s", ["iperf3", "-c", "10.2.0.10", "-t", "8", "-J"])
        usleep(1_000_000)
        let before = try lab.lanes()
        try lab.renewCertificates()
        #expect(load.wait() == 0)
        #expect(try Lab.received(load.text) > 50_000_000)
        let after = try lab.status("server")
        try lab.waitUntil("the lanes are new") { try before.isDisjoint(with: lab.lanes()) }
        #expect(Self.reconnects(after) == 0, "\(after)")
        #expect(try lab.liveLinks("server") == 1)
    }

    private static func reconnects(_ status: [String: Any]) -> Int {
        (status["links"] as? [[String: Any]] ?? []).compactMap { $0["reconnects"] as? Int }.reduce(0, +)
    }

    @Test("ends a link within 5 s when its CA is no longer trusted")
    func revokes() throws {
        let lab = try Lab()
        _ = try lab.startPair()
        let new = "\(lab.directory)/new"
        try Lab.issue(new)
        try Lab.run(["sh", "-c", "cp \(new)/ca.crt \(new)/server.* \(lab.directory)/pki/"])
        try lab.waitUntil("the server lets go", within: 5) { try lab.liveLinks("server") == 0 }
    }

    @Test("gives up its privileges once it is set up")
    func givesUpPrivileges() throws {
        let lab = try Lab()
        let pair = try lab.startPair(client: ["--masquerade"])
        for program in [pair.server, pair.client] {
            #expect(
                program.state("CapEff").allSatisfy { $0 == "0" } && program.state("CapPrm").allSatisfy { $0 == "0" }
            )
            #expect(program.state("NoNewPrivs") == "1")
        }
    }

    @Test("links every client to every server, and answers go back where they came from")
    func linksAll() throws {
        let lab = try Lab()
        let pki = "\(lab.directory)/two"
        try Lab.issue(pki, ["--client-name", "node-1", "--client-name", "node-2"])
        func start(_ space: String, _ role: String, _ file: String, _ more: [String]) throws {
            _ = try lab.start(
                space,
                [
                    try #require(Lab.program), role, "--ca", "\(pki)/ca.crt", "--gate-key", "\(pki)/gate.key",
                    "--certificate",
                    "\(pki)/\(file).crt", "--key", "\(pki)/\(file).key", "--socket", "\(lab.directory)/\(space).sock",
                ] + more
            )
        }
        // The second server needs a name of its own, and stands behind the first one's machine.
        let issuerless = "\(lab.directory)/b"
        try Lab.issue(issuerless, ["--server-name", "server-b"])
        try Lab.run([
            "sh", "-c",
            "cat \(issuerless)/ca.crt >>\(pki)/ca.crt; cp \(issuerless)/server.crt \(pki)/b.crt; cp \(issuerless)/server.key \(pki)/b.key",
        ])
        try lab.shell(
            "shoot",
            "ip route add 10.1.0.0/24 via 192.0.2.1; nft add table ip n; nft 'add chain ip n p { type nat hook postrouting priority 100; }'; nft add rule ip n p ip saddr 10.2.0.10 oifname wan masquerade"
        )
        try lab.shell("pod-s", "ip route add 192.0.2.0/24 via 10.1.0.1 2>/dev/null || true")
        try lab.shell("pod-c", "ip addr add 10.3.0.1/32 dev lo")
        let networks = ["--network", "10.2.0.0/24", "--network", "10.3.0.0/24"]
        try start("seed", "server", "server", networks + ["--listen", "192.0.2.1:8132", "--address", "10.98.0.1/24"])
        try start("pod-s", "server", "b", networks + ["--listen", "10.1.0.10:8132", "--address", "10.97.0.1/24"])
        let servers = ["--server", "192.0.2.1:8132", "--server", "10.1.0.10:8132"]
        try start(
            "shoot",
            "client",
            "node-1",
            servers + ["--network", "10.2.0.0/24", "--address", "10.98.0.2/24", "--address", "10.97.0.2/24"]
        )
        try start(
            "pod-c",
            "client",
            "node-2",
            servers + ["--network", "10.3.0.0/24", "--address", "10.98.0.3/24", "--address", "10.97.0.3/24"]
        )
        for space in ["seed", "pod-s"] {
            for target in ["10.2.0.1", "10.3.0.1"] {
                try lab.waitUntil("\(target) answers \(space)") { lab.ping(target, from: space) }
            }
        }
        for space in ["seed", "pod-s", "shoot", "pod-c"] { #expect(try lab.liveLinks(space) == 2, "\(space)") }
        // Neither node reaches the other through a server.
        #expect(!lab.ping("10.98.0.3", from: "shoot"))
    }

    @Test("tells systemd that it is ready and that it lives")
    func notifies() throws {
        let lab = try Lab()
        let path = "\(lab.directory)/notify"
        let address = try #require(SocketAddress(path: path))
        let socket = try address.bindBlocking(type: 2)  // SOCK_DGRAM
        let pki = "\(lab.directory)/pki"
        _ = try lab.start(
            "seed",
            [
                "env", "NOTIFY_SOCKET=\(path)", "WATCHDOG_USEC=3000000", try #require(Lab.program), "server",
                "--no-packets",
                "--listen", "192.0.2.1:8132", "--ca", "\(pki)/ca.crt", "--certificate", "\(pki)/server.crt", "--key",
                "\(pki)/server.key", "--gate-key", "\(pki)/gate.key", "--socket", "\(lab.directory)/server.sock",
            ]
        )
        var heard = ""
        try lab.waitUntil("READY=1 and WATCHDOG=1") {
            var bytes = [UInt8](repeating: 0, count: 4096)
            let count = recv(socket.rawValue, &bytes, bytes.count, CInt(MSG_DONTWAIT))
            if count > 0 { heard += String(decoding: bytes.prefix(count), as: UTF8.self) + "\n" }
            return heard.contains("READY=1") && heard.contains("WATCHDOG=1") && heard.contains("STATUS=0 of 0 links")
        }
    }

    @Test("warns where it may not have its packets forwarded, unless they are already", arguments: [true, false])
    func warnsOfForwarding(isOn: Bool) throws {
        let lab = try Lab()
        // With this every device begins.
        try lab.shell("seed", "echo \(isOn ? 1 : 0) >/proc/sys/net/ipv4/conf/default/forwarding")
        let pki = "\(lab.directory)/pki"
        let server = try lab.start(
            "seed",
            [
                "sh", "-ec",
                "mount --bind /proc/sys /proc/sys; mount -o remount,bind,ro /proc/sys; exec \"$@\"", "sh",
                try #require(Lab.program), "server", "--listen", "192.0.2.1:8132", "--ca", "\(pki)/ca.crt",
                "--certificate", "\(pki)/server.crt", "--key", "\(pki)/server.key", "--gate-key", "\(pki)/gate.key",
                "--address", "10.98.0.1/24", "--network", "10.2.0.0/24", "--socket", "\(lab.directory)/server.sock",
            ]
        )
        try lab.waitUntil("it listens") { try lab.says(server, "listening") }
        #expect(try lab.says(server, "forwarding not changed") == !isOn)
    }

    @Test("keeps two clusters with the same addresses apart")
    func keepsClustersApart() throws {
        let lab = try Lab()
        _ = try lab.startPair()
        let other = "\(lab.directory)/other"
        try Lab.issue(other, cluster: "other")
        // Its client has everything but its own CA: even our gate key.
        try Lab.run(["cp", "\(lab.directory)/pki/gate.key", "\(other)/gate.key"])
        let stranger = try lab.start(
            "shoot",
            [
                try #require(Lab.program), "client", "--ca", "\(lab.directory)/pki/ca.crt", "--certificate",
                "\(other)/client.crt",
                "--key", "\(other)/client.key", "--gate-key", "\(other)/gate.key", "--server", "192.0.2.1:8132",
                "--tun", "other0",
                "--address", "10.98.0.3/24", "--network", "10.2.0.0/24", "--socket", "\(lab.directory)/other.sock",
            ]
        )
        try lab.waitUntil("the stranger is refused") { stranger.text.contains("no link") }
        #expect(try lab.liveLinks("server") == 1)
        let links = try lab.status("server")["links"] as? [[String: Any]]
        #expect(links?.count == 1 && links?.first?["name"] as? String == "client")
    }

    @Test("lets nothing into the seed but what is named")
    func letsNothingIn() throws {
        let lab = try Lab()
        _ = try lab.startPair(server: ["--allow-inbound", "tcp/10.1.0.10:4430"])
        for port in [4430, 4431] {
            let echo = [try #require(Lab.tools), "echo", "--listen", "10.1.0.10:\(port)"]
            try lab.startListening("pod-s", echo, at: port)
        }
        let rate = try lab.tool(
            "pod-c",
            ["connections", "--connect", "10.1.0.10:4430", "--seconds", "0.3"],
            figure: "per_second"
        )
        #expect(rate > 10)
        #expect(throws: LabError.self) {
            try lab.output(
                "pod-c",
                [
                    "timeout", "-s", "KILL", "1", Lab.tools ?? "", "connections", "--connect", "10.1.0.10:4431",
                    "--seconds", "0.3",
                ]
            )
        }
        #expect(!lab.ping("10.1.0.10", from: "pod-c"))
        #expect(try lab.metric("tendril_vpn_dropped_packets_total", "inbound") > 0)
    }

    @Test("masquerades without a binary, and leaves nothing behind when it is killed")
    func masquerades() throws {
        let lab = try Lab()
        // Nothing behind the shoot knows a way back to the seed.
        try lab.shell("pod-c", "ip route del default")
        let pair = try lab.startPair(client: ["--masquerade"])
        #expect(try lab.shell("shoot", "nft list tables").contains("tendril-tendril0"))
        pair.client.end(SIGKILL)
        #expect(try !lab.shell("shoot", "nft list tables; ip -o link").contains("tendril"))
    }
}
