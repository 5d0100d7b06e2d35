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
        try lab.shell(space, "ss -K state established '( sport = 8132 or dport = 8132 )'")
        try lab.waitUntil("there are others", within: 1) {
            let now = try lab.lanes()
            return now.count == 2 && now.isDisjoint(with: before)
        }
        try lab.waitForPing(within: 1)
    }

    @Test("is made with either gate key while they are exchanged, and with the new one alone afterwards")
    func exchangesGateKey() throws {
        let lab = try Lab()
        let (old, new, both) = ("\(lab.directory)/old", "\(lab.directory)/new", "\(lab.directory)/both")
        try Lab.issue(old, ["--client-name", "a", "--client-name", "b"])
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

    @Test("carries as much where a kernel takes no super-packets", arguments: [("none", "auto"), ("tcp", "none")])
    func fallsBack(server: String, client: String) throws {
        let lab = try Lab()
        let pair = try lab.startPair(server: ["--offload", server], client: ["--offload", client])
        for (program, offload) in [(pair.server, server), (pair.client, client)] {
            #expect(program.text.contains("offload agreed") && program.text.contains(agreement(offload)))
        }
        try lab.startListening("pod-c", ["iperf3", "-s"], at: 5201)
        for options in [["-n", "20M"], ["-n", "20M", "-R"], ["-n", "20M", "-6"]] {
            let target = options.contains("-6") ? "fd02::10" : "10.2.0.10"
            let report = try lab.output("pod-s", ["iperf3", "-c", target, "-J"] + options)
            #expect(try Lab.received(report) > 10_000_000, "\(options)")
        }
        for direction in [[], ["-R"]] {
            // Whoever has no turn for a moment loses what comes meanwhile.
            let command = ["iperf3", "-c", "10.2.0.10", "-u", "-b", "50M", "-l", "1200", "-n", "4M", "-J"]
            let arrives = try (0..<3).contains { _ in
                try Lab.received(lab.output("pod-s", command + direction), "sum") > 2_000_000
            }
            #expect(arrives, "\(direction)")
        }
    }

    private func agreement(_ offload: String) -> String {
        switch offload {
        case "auto": "super-packets"
        case "tcp": "offload=\"TCP super-packets\""
        default: "offload=none"
        }
    }

    @Test("of one cluster has nothing of another's packets, though both have the same addresses and one machine")
    func keepsTwinsApart() throws {
        let (one, two) = (try Lab(), try Lab())
        // The second client reaches the first server too, and tries it all the time: even the gate's key is the same.
        try two.connect("shoot", to: one, "seed", "cross", ("198.51.100.2/24", "198.51.100.1/24"))
        try Lab.run(["cp", "\(one.directory)/pki/gate.key", "\(two.directory)/pki/gate.key"])
        let first = try one.startPair(server: ["--listen", "0.0.0.0:8132"])
        _ = try two.startPair(client: ["--server", "198.51.100.1:8132"])
        try one.waitUntil("the stranger is refused") { try one.metric("tendril_vpn_handshakes_total", "tls") > 0 }
        let twins = [(lab: one, size: 100, count: 120), (lab: two, size: 200, count: 160)]
        for twin in twins { try count(in: twin.lab, sizes: twins.map(\.size)) }
        let pings = try twins.flatMap { twin in
            try ["10.2.0.10", "fd02::10"].map { target in
                try twin.lab.start(
                    "pod-s",
                    ["ping", "-q", "-i", "0.01", "-c", "\(twin.count)", "-s", "\(twin.size)", target]
                )
            }
        }
        for ping in pings { #expect(ping.wait() == 0 && ping.text.contains(" 0% packet loss"), "\(ping.text)") }
        for (own, foreign) in [(twins[0], twins[1]), (twins[1], twins[0])] {
            for space in ["pod-s", "seed", "shoot", "pod-c"] {
                #expect(try counted(in: own.lab, space, own.size) >= 2 * own.count, "\(space)")
                #expect(try counted(in: own.lab, space, foreign.size) == 0, "\(space)")
            }
            #expect(try own.lab.liveLinks("server") == 1)
            #expect(try own.lab.metric("tendril_vpn_dropped_packets_total", "source") == 0)
        }
        #expect(first.server.isRunning)
    }

    /// Counts pings of each size at every place of a lab, in both directions.
    private func count(in lab: Lab, sizes: [Int]) throws {
        for space in ["pod-s", "seed", "shoot", "pod-c"] {
            try lab.shell(
                space,
                "nft add table inet t; nft 'add chain inet t p { type filter hook prerouting priority 0; }'"
            )
            for size in sizes {
                try lab.shell(space, "nft add counter inet t s\(size)")
                for (header, ip) in [(28, "protocol icmp"), (48, "nexthdr icmpv6")] {
                    let family = header == 28 ? "ip" : "ip6"
                    let rule = "\(family) \(ip) meta length \(size + header) counter name s\(size)"
                    try lab.shell(space, "nft add rule inet t p \(rule)")
                }
            }
        }
    }

    private func counted(in lab: Lab, _ space: String, _ size: Int) throws -> Int {
        let text = try lab.shell(space, "nft list counter inet t s\(size)")
        let words = text.split(whereSeparator: \.isWhitespace)
        let index = try #require(words.firstIndex(of: "packets"))
        return try #require(Int(words[index + 1]))
    }
}
