import Foundation
import LinuxSystem
import TendrilCore
import Testing

@Suite(
    "Streams, and what fails around them",
    .serialized,
    .enabled(if: Lab.obstacle == nil, "\(Lab.obstacle ?? "")")
)
struct FailureTests {
    private static let target = "10.2.0.10:7"
    private static let service = "198.51.100.1:6443"

    /// Starts what sends everything back, in the shoot and where the API server is to be.
    private func startEchoes(_ lab: Lab) throws {
        for (space, address) in [("pod-c", Self.target), ("pod-s", "10.1.0.10:7")] {
            _ = try lab.start(space, [try #require(Lab.tools), "echo", "--listen", address])
        }
    }

    /// Certificates of two servers and two clients.
    private func makeCertificates(_ lab: Lab) throws -> String {
        let pki = "\(lab.directory)/two"
        let names = ["--server-name", "s1", "--server-name", "s2", "--client-name", "c1", "--client-name", "c2"]
        try Lab.issue(pki, names)
        return pki
    }

    private func egress(_ lab: Lab, _ server: String) -> String { "\(lab.directory)/\(server)-egress.sock" }

    @Test("Streams outlive a load balancer's restart: all lanes are cut at once, and nobody answers for a second")
    func balancerRestart() throws {
        let lab = try Lab()
        let balancer = try lab.startBalancer(at: 8140, ["": 8132])
        let server = ["--api-server", "10.1.0.10:7"]
        _ = try lab.startStreams("seed", "server", server)
        _ = try lab.startStreams(
            "shoot",
            "client",
            ["--server", "192.0.2.1:8140", "--api-server-listen", Self.service]
        )
        try startEchoes(lab)
        try lab.waitUntil("a stream is opened") { (try? EgressSocket(lab.egress, Self.target)) != nil }
        let (egress, pod) = (lab.egress, lab.handle("pod-c"))
        let traffic = [
            try Traffic(streams: 10) { _ in try EgressSocket(egress, Self.target) },
            try Traffic(streams: 10) { _ in try PodSocket(pod, Self.service) },
        ]
        usleep(1_000_000)
        balancer.end(SIGKILL)
        usleep(1_000_000)
        _ = try lab.startBalancer(at: 8140, ["": 8132])
        try lab.waitUntil("the link is back") { (try? lab.liveLinks("client")) == 1 }
        usleep(1_000_000)
        for traffic in traffic {
            traffic.finish()
            #expect(traffic.failures == [])
        }
        let streams = try lab.status("server")["streams"] as? [String: Any]
        #expect(streams?["resumed"] as? Int ?? 0 >= 20, "nothing was cut: \(streams ?? [:])")
    }

    @Test("No stream that ends within the time to drain is lost when all servers and then all clients are rolled")
    func rolling() throws {
        let lab = try Lab()
        let pki = try makeCertificates(lab)
        try lab.shell(
            "seed",
            """
            nft 'table ip lb { chain in { type nat hook prerouting priority -100; ip daddr 192.0.2.1 tcp dport 8132 \
            redirect to numgen random mod 2 map { 0 : 8201, 1 : 8202 }; }; }'
            """
        )
        let services = ["c1": "198.51.100.1:6443", "c2": "198.51.100.2:6443"]
        func start(_ name: String) throws -> Program {
            guard let service = services[name] else {
                let port = name == "s1" ? 8201 : 8202
                let more = ["--listen", ":\(port)", "--instances", "2", "--api-server", "10.1.0.10:7"]
                return try lab.startStreams("seed", "server", more + drain, pki: pki, file: name, socket: name)
            }
            let more = ["--api-server-listen", service] + drain
            return try lab.startStreams("shoot", "client", more, pki: pki, file: name, socket: name)
        }
        let drain = ["--drain-seconds", "10"]
        try startEchoes(lab)
        var programs = try ["s1", "s2", "c1", "c2"].reduce(into: [:]) { $0[$1] = try start($1) }
        func awaitLinks() throws {
            try lab.waitUntil("every side is linked to both others") {
                programs.keys.allSatisfy { (try? lab.liveLinks($0)) == 2 }
            }
        }
        /// Streams of half a second each, begun at one instance: beside it, or on its node.
        func begin(at name: String) throws -> Traffic {
            let (path, pod, service) = (egress(lab, name), lab.handle("pod-c"), services[name])
            return try Traffic(streams: 3, rounds: 10) { _ in
                try service.map { try PodSocket(pod, $0) } ?? EgressSocket(path, Self.target)
            }
        }
        try awaitLinks()
        var traffic = try programs.keys.reduce(into: [:]) { $0[$1] = try begin(at: $1) }
        for name in ["s1", "s2", "c1", "c2"] {
            usleep(500_000)
            // Who begins streams at this very instance ends with it: a kube-apiserver, or a node's pods.
            traffic[name]?.close()
            programs[name]?.signalEnd(SIGTERM)
            traffic[name]?.finish()
            #expect(traffic[name]?.failures == [], "\(name)")
            try lab.waitUntil("\(name) ends") { programs[name]?.isRunning == false }
            programs[name] = try start(name)
            try awaitLinks()
            traffic[name] = try begin(at: name)
        }
        usleep(500_000)
        for (name, traffic) in traffic {
            traffic.finish()
            #expect(traffic.failures == [], "\(name)")
            #expect(traffic.rounds.allSatisfy { $0 >= 10 }, "\(name)")
        }
    }

    @Test("What is open when the time to drain is over is reset, and does not look like its end")
    func drainDeadline() throws {
        let lab = try Lab()
        _ = try lab.startStreams("seed", "server", ["--api-server", "10.1.0.10:7"])
        let more = ["--api-server-listen", Self.service, "--drain-seconds", "8"]
        let client = try lab.startStreams("shoot", "client", more)
        try startEchoes(lab)
        try lab.waitUntil("a stream is opened") { (try? EgressSocket(lab.egress, Self.target)) != nil }
        let held = try PodSocket(lab.handle("pod-c"), Self.service)
        try held.exchange([1, 2, 3])
        client.signalEnd(SIGTERM)
        try lab.waitUntil("it drains") { try lab.says(client, "waiting for streams") }
        try held.exchange([4, 5, 6])
        #expect(throws: LabError.self) { _ = try held.receive(1) }
        #expect(client.wait() == 0)
    }

    @Test("What a server has open when it ends is reset at its clients' pods at once")
    func serverEnds() throws {
        let lab = try Lab()
        let server = try lab.startStreams(
            "seed",
            "server",
            ["--api-server", "10.1.0.10:7", "--drain-seconds", "1"]
        )
        _ = try lab.startStreams("shoot", "client", ["--api-server-listen", Self.service])
        try startEchoes(lab)
        try lab.waitUntil("a stream is opened") { (try? EgressSocket(lab.egress, Self.target)) != nil }
        let held = try PodSocket(lab.handle("pod-c"), Self.service)
        try held.exchange([1, 2, 3])
        server.signalEnd(SIGTERM)
        #expect(server.wait() == 0)
        let watch = try Stopwatch()
        #expect(throws: LabError.self) { _ = try held.receive(1) }
        #expect(watch.seconds < Lab.patience)
    }

    @Test("A client that drains goes on serving what no other client leads to, and can be asked for its status")
    func drainsAlone() throws {
        let lab = try Lab()
        let pki = try makeCertificates(lab)
        _ = try lab.startStreams("seed", "server", ["--network", "10.3.0.0/24"], pki: pki, file: "s1")
        let drain = ["--drain-seconds", "60"]
        let first = try lab.startStreams("shoot", "client", drain, pki: pki, file: "c1", socket: "c1")
        try startEchoes(lab)
        try lab.waitUntil("a stream is opened") { (try? EgressSocket(lab.egress, Self.target)) != nil }
        // Of two ranges the other client has the other one.
        let others = ["10.3.0.0/24"]
        _ = try lab.startStreams("shoot", "client", [], pki: pki, file: "c2", socket: "c2", networks: others)
        try lab.waitUntil("both clients are linked") { (try? lab.liveLinks("server")) == 2 }
        let held = try EgressSocket(lab.egress, Self.target)
        first.signalEnd(SIGTERM)
        try lab.waitUntil("it drains") { try lab.says(first, "waiting for streams") }
        // The server has heard of it by then.
        usleep(300_000)
        try held.exchange([1, 2, 3])
        #expect(EgressSocket.answer(lab.egress, Self.target) == "HTTP/1.1 200 OK")
        let status = [try #require(Lab.program), "status", "--socket", "\(lab.directory)/server.sock", "--peer", "c1"]
        #expect(try Lab.run(status).contains("spiffe://test/vpn/client/c1"))
        #expect(first.isRunning)
    }

    @Test("A server that lingers takes requests for a while after it was told to end, and what is open is waited for")
    func lingers() throws {
        let lab = try Lab()
        let server = try lab.startStreams("seed", "server", ["--linger-seconds", "3", "--drain-seconds", "60"])
        _ = try lab.startStreams("shoot", "client", [])
        try startEchoes(lab)
        try lab.waitUntil("a stream is opened") { (try? EgressSocket(lab.egress, Self.target)) != nil }
        try lab.waitUntil("no stream is open") { try activeStreams(lab) == 0 }
        let begin = Date()
        server.signalEnd(SIGTERM)
        usleep(2_000_000)
        let held = try EgressSocket(lab.egress, Self.target)
        try held.exchange([1, 2, 3])
        Thread.sleep(until: begin.addingTimeInterval(4))
        // What is open holds the end up, as ever.
        try held.exchange([4, 5, 6])
        held.endSending()
        #expect(try held.receive(1) == [])
        let watch = try Stopwatch()
        #expect(server.wait() == 0)
        #expect(watch.seconds < 2 * Lab.patience)
    }

    private func activeStreams(_ lab: Lab) throws -> Int? {
        (try lab.status("server")["streams"] as? [String: Any])?["active"] as? Int
    }

    @Test("Who is told to end twice ends at once; a hang-up has the files read again at once")
    func signals() throws {
        let lab = try Lab()
        let more = ["--metrics", "10.1.0.1:8133", "--linger-seconds", "60", "--drain-seconds", "60"]
        let server = try lab.startStreams("seed", "server", more)
        try lab.waitUntil("it answers") { (try? lab.liveLinks("server")) == 0 }
        server.signalEnd(SIGHUP)
        try lab.waitUntil("the files are read", within: 0.3) { try lab.metric("tendril_vpn_reloads_total", "ok") == 1 }
        server.signalEnd(SIGTERM)
        usleep(500_000)
        #expect(try server.isRunning && lab.says(server, "stopping"))
        let watch = try Stopwatch()
        server.signalEnd(SIGTERM)
        #expect(server.wait() == 0)
        #expect(watch.seconds < Lab.patience)
    }

    @Test("A target that one client cannot reach is dialled by another before anybody is answered")
    func dialElsewhere() throws {
        let lab = try Lab()
        let pki = try makeCertificates(lab)
        _ = try lab.startStreams("seed", "server", ["--metrics", "10.1.0.1:8133"], pki: pki, file: "s1")
        // One of the clients has a user of its own, by which its connections are known.
        try Lab.run(["sh", "-ec", "cp -r \(pki) \(pki)-own; chown -R 4242 \(pki)-own"])
        _ = try lab.startStreams("shoot", "client", [], pki: pki, file: "c1", socket: "c1")
        _ = try lab.startStreams("shoot", "client", [], pki: pki + "-own", file: "c2", socket: "two-own/c2", user: 4242)
        try startEchoes(lab)
        try lab.waitUntil("both clients are linked") { (try? lab.liveLinks("server")) == 2 }
        try lab.waitUntil("a stream is opened") { (try? EgressSocket(lab.egress, Self.target)) != nil }
        func failovers() throws -> Double { try lab.metric("tendril_vpn_stream_failovers_total") }
        // One that only hears nothing is given four seconds.
        for (verdict, dials) in [("reject with icmp type host-unreachable", 20), ("drop", 2)] {
            let before = try failovers()
            // Whichever of the two is asked first.
            for user in ["4242", "0"] {
                let rule = "meta skuid \(user) tcp dport 7 \(verdict)"
                try lab.shell(
                    "shoot",
                    "nft 'table ip no { chain out { type filter hook output priority 0; \(rule); }; }'"
                )
                for _ in 0..<dials { try EgressSocket(lab.egress, Self.target).exchange([1, 2, 3]) }
                try lab.shell("shoot", "nft delete table ip no")
            }
            #expect(try failovers() > before, "\(verdict)")
        }
    }

    @Test("A name that one client cannot look up is dialled by another, also where that is back in a moment only")
    func nameElsewhere() throws {
        let lab = try Lab()
        let pki = try makeCertificates(lab)
        let resolver = "\(lab.directory)/resolv.conf"
        // Nobody answers there.
        try "nameserver 127.0.0.1\n".write(toFile: resolver, atomically: true, encoding: .utf8)
        // Each knows one name that the other does not know.
        func hosts(_ name: String) throws -> [String: String] {
            let file = "\(lab.directory)/hosts-\(name)"
            try "127.0.0.1 localhost\n10.2.0.10 \(name)\n".write(toFile: file, atomically: true, encoding: .utf8)
            return ["/etc/resolv.conf": resolver, "/etc/hosts": file]
        }
        try lab.shell("seed", "ip addr add 192.0.2.3/24 dev wan")
        let more = ["--listen", ":8132", "--metrics", "10.1.0.1:8133"]
        _ = try lab.startStreams("seed", "server", more, pki: pki, file: "s1")
        for (name, server, files) in [
            ("c1", "192.0.2.3:8132", try hosts("good.test")), ("c2", "192.0.2.1:8132", try hosts("fine.test")),
        ] {
            let more = ["--server", server]
            _ = try lab.startStreams("shoot", "client", more, pki: pki, file: name, socket: name, hiding: files)
        }
        try startEchoes(lab)
        try lab.waitUntil("both clients are linked") { (try? lab.liveLinks("server")) == 2 }
        try lab.waitUntil("a stream is opened") { (try? EgressSocket(lab.egress, Self.target)) != nil }
        // Whoever is asked first, always or in turn, is asked for what only the other one knows.
        for name in ["good.test", "fine.test"] {
            for _ in 0..<10 { try EgressSocket(lab.egress, "\(name):7").exchange([1, 2, 3]) }
        }
        #expect(try lab.metric("tendril_vpn_stream_failovers_total") > 0)
        // Where nobody knows a name that is the answer.
        let line = EgressSocket.answer(lab.egress, "bad.test:7")
        #expect(line == "HTTP/1.1 502 name not known: bad.test:7")
        try refuse(lab)
        try lab.waitUntil("only the other client is linked") { (try? lab.liveLinks("server")) == 1 }
        let waiting = try EgressSocket(asking: lab.egress, "good.test:7")
        usleep(1_000_000)
        try heal(lab)
        #expect(try waiting.receive(15) == Array("HTTP/1.1 200 OK".utf8))
    }

    @Test("A client with one name for each instance reaches each of them by SNI behind one address")
    func serverNames() throws {
        let lab = try Lab()
        let pki = try makeCertificates(lab)
        let names = ["s1.vpn.test": 8201, "s2.vpn.test": 8202]
        _ = try lab.startBalancer(at: 8140, names)
        for (server, port) in [("s1", 8201), ("s2", 8202)] {
            let more = ["--listen", ":\(port)"]
            _ = try lab.startStreams("seed", "server", more, pki: pki, file: server, socket: server)
        }
        let resolver = try lab.startResolver(names.mapValues { _ in [["192.0.2.1"]] })
        try startEchoes(lab)
        let servers = names.keys.sorted().flatMap { ["--server", "\($0):8140"] }
        let client = try lab.startStreams("shoot", "client", servers, pki: pki, file: "c1", hiding: resolver)
        try lab.waitUntil("the client is linked to both") { (try? lab.liveLinks("client")) == 2 }
        for server in ["s1", "s2"] {
            #expect(EgressSocket.answer(egress(lab, server), Self.target) == "HTTP/1.1 200 OK", "\(server)")
        }
        let links = try lab.status("client")["links"] as? [[String: Any]] ?? []
        #expect(Set(links.compactMap { $0["name"] as? String }) == ["s1", "s2"], "\(client.text)")
    }

    @Test("No metric of a client is there twice, whichever of several instances it has found")
    func instancesAreTold() throws {
        let lab = try Lab()
        let server = try lab.startStreams("seed", "server", ["--instances", "3"])
        _ = try lab.startStreams("shoot", "client", ["--metrics", "10.2.0.1:8133"])
        func links() throws -> [String] {
            let lines = try lab.get("/metrics", of: "client").split(separator: "\n").filter { !$0.hasPrefix("#") }
            let series = lines.compactMap { line in line.lastIndex(of: " ").map { String(line[..<$0]) } }
            guard Set(series).count == series.count else { throw LabError("twice: \(series)") }
            let names = series.compactMap { $0.wholeMatch(of: #/tendril_vpn_link_lanes\{link="(.*)"\}/#) }
            return names.map { String($0.1) }.sorted()
        }
        try lab.waitUntil("the client is linked to one of three") {
            (try? lab.status("client")["linksExpected"] as? Int) == 3 && (try? lab.liveLinks("client")) == 1
        }
        #expect(try links() == ["192.0.2.1:8132#1", "192.0.2.1:8132#2", "server"])
        server.end(SIGKILL)
        // Nobody knows how many there are now.
        try lab.waitUntil("the client tells that the link is down") { try links() == ["192.0.2.1:8132"] }
        _ = try lab.startStreams("seed", "server", [])
        try lab.waitUntil("the client is linked to one of one") { try links() == ["server"] }
        #expect(try lab.status("client")["linksExpected"] as? Int == 1)
    }

    /// Expects that no dial which begins after something has happened takes longer than so many seconds until a byte has come back;
    /// returns how long the slowest took.
    @discardableResult
    private func expectDials(
        _ dial: @escaping @Sendable () throws -> Connection,
        within bound: Double,
        after event: () throws -> Void,
        healedBy heal: () throws -> Void = {}
    ) throws -> Double {
        let watch = try DialWatch(dial)
        usleep(300_000)
        try event()
        let moment = Clock.now()
        // For longer than any of them may take: what is healed earlier would come in time by that.
        Thread.sleep(forTimeInterval: bound * Lab.patience + 0.5)
        try heal()
        let slowest = try watch.finish(since: moment)
        #expect(slowest < bound * Lab.patience)
        return slowest
    }

    @Test("New streams take another client within a second of a kill, and within three of a cut without a word")
    func clientFailover() throws {
        let lab = try Lab()
        let pki = try makeCertificates(lab)
        try lab.shell("seed", "ip addr add 192.0.2.3/24 dev wan")
        let more = ["--listen", ":8132", "--metrics", "10.1.0.1:8133"]
        _ = try lab.startStreams("seed", "server", more, pki: pki, file: "s1")
        func start(_ name: String, _ server: String) throws -> Program {
            try lab.startStreams("shoot", "client", ["--server", server], pki: pki, file: name, socket: name)
        }
        let first = try start("c1", "192.0.2.1:8132")
        _ = try start("c2", "192.0.2.3:8132")
        try startEchoes(lab)
        try lab.waitUntil("both clients are linked") { (try? lab.liveLinks("server")) == 2 }
        let egress = lab.egress
        let dial = { @Sendable in try EgressSocket(egress, Self.target) }
        try expectDials(dial, within: 1, after: { first.end(SIGKILL) })
        _ = try start("c1", "192.0.2.1:8132")
        try lab.waitUntil("both clients are linked again") { (try? lab.liveLinks("server")) == 2 }
        let before = try lab.metric("tendril_vpn_stream_failovers_total")
        let slowest = try expectDials(dial, within: 3, after: { try cut(lab) }, healedBy: { try heal(lab) })
        // Those that were led where nothing came any more, and had to wait for another; on a busy machine there may be none.
        #expect(try lab.metric("tendril_vpn_stream_failovers_total") > before || slowest < 0.5)
    }

    @Test("Pods reach another server within a second of a kill, and within three of a cut without a word")
    func serverFailover() throws {
        let lab = try Lab()
        let pki = try makeCertificates(lab)
        try lab.shell("seed", "ip addr add 192.0.2.3/24 dev wan")
        func start(_ name: String, _ listen: String) throws -> Program {
            let more = ["--listen", listen, "--api-server", "10.1.0.10:7"]
            return try lab.startStreams("seed", "server", more, pki: pki, file: name, socket: name)
        }
        let first = try start("s1", "192.0.2.1:8132")
        let second = try start("s2", "192.0.2.3:8132")
        let servers = ["--server", "192.0.2.1:8132", "--server", "192.0.2.3:8132"]
        _ = try lab.startStreams(
            "shoot",
            "client",
            servers + ["--api-server-listen", Self.service, "--metrics", "10.2.0.1:8133"],
            pki: pki,
            file: "c1"
        )
        try startEchoes(lab)
        try lab.waitUntil("the client is linked to both") { (try? lab.liveLinks("client")) == 2 }
        let pod = lab.handle("pod-c")
        let dial = { @Sendable in try PodSocket(pod, Self.service) }
        try expectDials(dial, within: 1, after: { first.end(SIGKILL) })
        let again = try start("s1", "192.0.2.1:8132")
        try lab.waitUntil("the client is linked to both again") { (try? lab.liveLinks("client")) == 2 }
        let before = try lab.metric("tendril_vpn_stream_failovers_total", of: "client")
        try expectDials(dial, within: 3, after: { try cut(lab) }, healedBy: { try heal(lab) })
        #expect(try lab.metric("tendril_vpn_stream_failovers_total", of: "client") > before)
        // Where no server is left a pod is turned away, and counted.
        #expect(try lab.metric("tendril_vpn_pod_refusals_total", of: "client") == 0)
        for server in [again, second] { server.end(SIGKILL) }
        #expect(throws: LabError.self) { try dial().exchange([1]) }
        #expect(try lab.metric("tendril_vpn_pod_refusals_total", of: "client") == 1)
    }

    @Test("A pod that one server cannot serve waits for another one whose link is down for a moment")
    func waitsForTheOther() throws {
        let lab = try Lab()
        let pki = try makeCertificates(lab)
        try lab.shell("seed", "ip addr add 192.0.2.3/24 dev wan")
        // Nobody listens where the first one expects the API server.
        for (name, listen, target) in [
            ("s1", "192.0.2.1:8132", "10.1.0.10:9"), ("s2", "192.0.2.3:8132", "10.1.0.10:7"),
        ] {
            let more = ["--listen", listen, "--api-server", target]
            _ = try lab.startStreams("seed", "server", more, pki: pki, file: name, socket: name)
        }
        let more = ["--server", "192.0.2.1:8132", "--server", "192.0.2.3:8132", "--api-server-listen", Self.service]
        _ = try lab.startStreams("shoot", "client", more, pki: pki, file: "c1")
        try startEchoes(lab)
        try lab.waitUntil("the client is linked to both") { (try? lab.liveLinks("client")) == 2 }
        let pod = lab.handle("pod-c")
        try lab.waitUntil("pods are served") { (try? PodSocket(pod, Self.service).exchange([1])) != nil }
        try refuse(lab)
        try lab.waitUntil("one link is left") { (try? lab.liveLinks("client")) == 1 }
        let waiting = try PodSocket(pod, Self.service)
        usleep(1_000_000)
        try heal(lab)
        try waiting.exchange([1, 2, 3])
    }

    /// Has the way to and from the seed's second address swallow everything, without a word to either side.
    private func cut(_ lab: Lab) throws {
        try lab.shell(
            "shoot",
            """
            nft 'table ip cut { chain out { type filter hook output priority 0; ip daddr 192.0.2.3 drop; }; \
            chain in { type filter hook input priority 0; ip saddr 192.0.2.3 drop; }; }'
            """
        )
    }

    /// Ends the connections to the seed's second address, and lets none begin.
    private func refuse(_ lab: Lab) throws {
        let rule = "ip daddr 192.0.2.3 tcp flags & (syn|ack) == syn reject with tcp reset"
        try lab.shell(
            "shoot",
            """
            nft 'table ip cut { chain out { type filter hook output priority 0; \(rule); }; }'
            ss -K dst 192.0.2.3 dport = 8132
            """
        )
    }

    private func heal(_ lab: Lab) throws { try lab.shell("shoot", "nft delete table ip cut") }

    @Test(
        "The far end's state and last lines are read right after its connections were lost, and right after it began anew"
    )
    func peerStatusAfterReconnect() throws {
        let lab = try Lab()
        _ = try lab.startStreams("seed", "server", [])
        let client = try lab.startStreams("shoot", "client", [])
        try lab.waitUntil("the client is linked") { (try? lab.liveLinks("server")) == 1 }
        let program = try #require(Lab.program)
        func status() throws -> String {
            let command = [program, "status", "--socket", "\(lab.directory)/server.sock", "--peer", "client"]
            var text = ""
            try lab.waitUntil("the far end tells") {
                text = (try? Lab.run(command)) ?? ""
                return !text.isEmpty
            }
            return text
        }
        for _ in 0..<5 {
            try lab.shell("shoot", "ss -K dst 192.0.2.1 dport = 8132")
            let text = try status()
            #expect(text.contains("spiffe://test/vpn/client/client"), "\(text)")
            let (down, up) = (
                text.range(of: "link down", options: .backwards), text.range(of: "link up", options: .backwards)
            )
            #expect(try #require(down).lowerBound < #require(up).lowerBound, "\(text)")
        }
        client.end(SIGKILL)
        _ = try lab.startStreams("shoot", "client", [])
        let text = try status()
        #expect(text.contains("dialling") && text.contains("link up") && !text.contains("link down"), "\(text)")
    }

    @Test("Names are judged in the shoot by what they stand for when they are dialled, whatever they stood for before")
    func names() throws {
        let lab = try Lab()
        let resolver = try lab.startResolver([
            "good.test": [["10.2.0.10"]], "loop.test": [["127.0.0.1"]], "link.test": [["169.254.169.254"]],
            "foreign.test": [["10.9.0.1"]], "seed.test": [["10.1.0.10"]], "either.test": [["127.0.0.1", "10.2.0.10"]],
            "rebound.test": [["10.2.0.10"], ["127.0.0.1"]],
        ])
        _ = try lab.startStreams("seed", "server", [])
        _ = try lab.startStreams("shoot", "client", [], hiding: resolver)
        try startEchoes(lab)
        // Who is reached here by mistake does not send back what he is sent.
        _ = try lab.start("shoot", [try #require(Lab.tools), "bulk-server", "--listen", "127.0.0.1:7"])
        try lab.waitUntil("a name leads to its node") { (try? EgressSocket(lab.egress, "good.test:7")) != nil }
        for (name, address) in [
            ("loop.test", "127.0.0.1"), ("link.test", "169.254.169.254"), ("foreign.test", "10.9.0.1"),
            ("seed.test", "10.1.0.10"),
        ] {
            let line = EgressSocket.answer(lab.egress, "\(name):7")
            #expect(line == "HTTP/1.1 403 target not allowed: \(address):7", "\(name)")
        }
        try EgressSocket(lab.egress, "either.test:7").exchange(Array("D and more".utf8))
        for _ in 0..<5 {
            try EgressSocket(lab.egress, "rebound.test:7").exchange(Array("D and more".utf8))
            let line = EgressSocket.answer(lab.egress, "rebound.test:7")
            #expect(line == "HTTP/1.1 403 target not allowed: 127.0.0.1:7")
        }
    }

    @Test("Requests that wait for a link are forgotten as soon as whoever asked has gone")
    func abandonedRequests() throws {
        let lab = try Lab()
        let server = try lab.startStreams("seed", "server", [])
        try startEchoes(lab)
        try lab.waitUntil("the server answers") { (try? lab.liveLinks("server")) == 0 }
        let before = server.descriptorCount
        let asked = Date()
        var waiting = try (0..<20).map { _ in try EgressSocket(asking: lab.egress, Self.target) }
        try lab.waitUntil("the requests wait") { server.descriptorCount >= before + 20 }
        waiting.removeLast(15)
        try lab.waitUntil("those who have gone are forgotten", within: 0.5) { server.descriptorCount <= before + 5 }
        // Those who are still there are served once there is a link, if that comes within their three seconds.
        _ = try lab.startStreams("shoot", "client", [])
        try lab.waitUntil("there is a link") { try lab.liveLinks("server") == 1 }
        let isInTime = Date().timeIntervalSince(asked) < 3
        for socket in waiting { #expect(try socket.receive(15) == Array("HTTP/1.1 200 OK".utf8) || !isInTime) }
    }
}

/// Threads that dial again and again, and note how long each dial takes until a byte has come back.
private final class DialWatch {
    private struct Dial: Sendable {
        let start: MonotonicTime
        let seconds: Double
        let failure: String?
    }

    private let dials = Guarded<[Dial]>([])
    private let isOver = AtomicWords(count: 1)
    private var threads: [TestThread] = []

    init(_ dial: @escaping @Sendable () throws -> Connection) throws {
        let (dials, isOver, watch) = (dials, isOver, try Stopwatch())
        for _ in 0..<8 {
            threads.append(
                try TestThread {
                    while isOver.load(0) == 0 {
                        let noted = Self.note(dial, watch)
                        dials.withLock { $0.append(noted) }
                        usleep(20_000)
                    }
                }
            )
        }
    }

    private static func note(_ dial: () throws -> Connection, _ watch: Stopwatch) -> Dial {
        let (start, before) = (Clock.now(), watch.seconds)
        let result = Result { try dial().exchange([1]) }
        let failure: String? = if case .failure(let error) = result { "\(error)" } else { nil }
        return Dial(start: start, seconds: watch.seconds - before, failure: failure)
    }

    /// The longest of the dials that began after a moment, none of which may fail; those that were under way may go with their way.
    func finish(since moment: MonotonicTime) throws -> Double {
        func late() -> [Dial] { dials.withLock { $0.filter { $0.start >= moment } } }
        for _ in 0..<600 where late().count < 50 { usleep(100_000) }
        isOver.store(1, at: 0)
        for thread in threads { thread.join() }
        let seen = late()
        if let failure = seen.compactMap(\.failure).first { throw LabError(failure) }
        guard seen.count >= 50, let longest = seen.map(\.seconds).max() else { throw LabError("\(seen.count) dials") }
        return longest
    }
}
