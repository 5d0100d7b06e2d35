import Foundation
import TLSEngine
import TendrilCore
import Testing

/// Four namespaces in a row, `pod-s — seed — shoot — pod-c`, with the programs that run in them.
///
/// All of it goes away with the object, whatever the test came to.
final class Lab {
    /// Namespace and cable for IPv4 and IPv6; see Tests/Rig/topology.sh for the same as a drawing.
    private static let cables: [(left: String, right: String, name: String, addresses: [(String, String)])] = [
        ("seed", "shoot", "wan", [("192.0.2.1/24", "192.0.2.2/24")]),
        ("pod-s", "seed", "inner", [("10.1.0.10/24", "10.1.0.1/24"), ("fd01::10/64", "fd01::1/64")]),
        ("shoot", "pod-c", "inside", [("10.2.0.1/24", "10.2.0.10/24"), ("fd02::1/64", "fd02::10/64")]),
    ]

    let directory: String
    private let name: String
    private var programs: [Program] = []

    /// Where the programs are; `make test` says so.
    static let program = ProcessInfo.processInfo.environment["TENDRIL_VPN"]
    static let tools = ProcessInfo.processInfo.environment["TENDRIL_BENCH"]

    /// Why namespaces cannot be tested here, or `nil`.
    static var obstacle: String? {
        if program == nil || tools == nil {
            return "TENDRIL_VPN and TENDRIL_BENCH do not name the programs (make test does)"
        }
        if geteuid() != 0 { return "network namespaces need root" }
        return nil
    }

    init(mtu: Int = 1500) throws {
        name = "tit\(getpid())x\(UInt16.random(in: 0...9999))"
        directory = "/tmp/\(name)"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        for space in ["pod-s", "seed", "shoot", "pod-c"] {
            try Self.run(["ip", "netns", "add", path(space)])
            try Self.run(["ip", "-n", path(space), "link", "set", "lo", "up"])
            try shell(space, "echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding")
        }
        for cable in Self.cables {
            try Self.connect(path(cable.left), path(cable.right), cable.name, cable.addresses, mtu: max(mtu, 1500))
        }
        try shell("pod-s", "ip route add default via 10.1.0.1; ip -6 route add default via fd01::1")
        try shell("pod-c", "ip route add default via 10.2.0.1; ip -6 route add default via fd02::1")
        try Self.issue("\(directory)/pki")
    }

    /// Issues all that a tunnel's sides need into a directory that is not there yet; `names` are options that name them.
    static func issue(_ directory: String, cluster: String = "test", _ names: [String] = []) throws {
        try run([try #require(program), "certificates", "--cluster", cluster, "--out", directory] + names)
    }

    deinit {
        for program in programs { program.end(SIGKILL) }
        for space in ["pod-s", "seed", "shoot", "pod-c"] { _ = try? Self.run(["ip", "netns", "del", path(space)]) }
        try? FileManager.default.removeItem(atPath: directory)
    }

    private func path(_ space: String) -> String { "\(name)-\(space)" }

    /// Where the kernel shows a namespace.
    func handle(_ space: String) -> String { "/run/netns/\(path(space))" }

    /// By how much bounds on time are stretched where other work shares the machine.
    static let patience = ProcessInfo.processInfo.environment["PATIENCE"].flatMap { Double($0) } ?? 1
    /// For how many seconds anything is waited for.
    private static let longest: Double = 90

    /// Lays one more cable, between a namespace of this lab and one of another.
    func connect(_ space: String, to other: Lab, _ otherSpace: String, _ cable: String, _ addresses: (String, String))
        throws
    {
        try Self.connect(path(space), other.path(otherSpace), cable, [addresses], mtu: 1500)
    }

    private static func connect(
        _ left: String,
        _ right: String,
        _ cable: String,
        _ addresses: [(String, String)],
        mtu: Int
    ) throws {
        try run(["ip", "link", "add", cable, "netns", left, "type", "veth", "peer", "name", cable, "netns", right])
        for (space, side) in [(left, 0), (right, 1)] {
            for pair in addresses {
                let address = side == 0 ? pair.0 : pair.1
                let extra = address.contains(":") ? ["nodad"] : []
                try run(["ip", "-n", space, "addr", "add", address, "dev", cable] + extra)
            }
            try run(["ip", "-n", space, "link", "set", cable, "up", "mtu", "\(mtu)"])
        }
    }

    // MARK: - Programs

    /// Starts a program in a namespace, where it sees other files in the place of some of the machine's.
    func start(_ space: String, _ command: [String], hiding files: [String: String] = [:]) throws -> Program {
        let mounts = files.map { "mount --bind \($0.value) \($0.key); " }.joined()
        let command = files.isEmpty ? command : ["sh", "-ec", mounts + "exec \"$@\"", "sh"] + command
        let log = "\(directory)/log-\(programs.count)"
        let program = try Program(["ip", "netns", "exec", path(space)] + command, log: log)
        programs.append(program)
        return program
    }

    /// Starts one side of the tunnel with the usual options and some more.
    func startTunnel(
        _ role: String,
        _ more: [String] = [],
        pki: String? = nil,
        mtu: Int = 1500,
        networks: [String] = ["10.2.0.0/24", "fd02::/64"]
    ) throws -> Program {
        let pki = pki ?? "\(directory)/pki"
        var command = [
            try #require(Self.program), role, "--ca", "\(pki)/ca.crt", "--certificate", "\(pki)/\(role).crt", "--key",
            "\(pki)/\(role).key", "--gate-key", "\(pki)/gate.key", "--socket", "\(directory)/\(role).sock",
            "--log-level", "debug", "--mtu", "\(mtu)",
        ]
        command += networks.flatMap { ["--network", $0] }
        if role == "server" {
            command += ["--listen", "192.0.2.1:8132", "--address", "10.98.0.1/24", "--address", "fd98::1/64"]
            command += ["--metrics", "10.1.0.1:8133"]
            return try start("seed", command + more)
        }
        command += ["--server", "192.0.2.1:8132", "--address", "10.98.0.2/24", "--address", "fd98::2/64"]
        command += ["--remote-network", "10.1.0.0/24", "--remote-network", "fd01::/64"]
        return try start("shoot", command + more)
    }

    /// Where streams are asked for.
    var egress: String { "\(directory)/server-egress.sock" }

    /// Starts one side of a link that carries streams only, without privileges on the server's side.
    func startStreams(
        _ space: String,
        _ role: String,
        _ more: [String],
        pki: String? = nil,
        file: String? = nil,
        socket: String? = nil,
        user: Int? = nil,
        networks: [String] = ["10.2.0.0/24"],
        hiding files: [String: String] = [:]
    ) throws -> Program {
        let pki = pki ?? "\(directory)/pki"
        let file = file ?? role
        let socket = "\(directory)/\(socket ?? role)"
        var command = [
            try #require(Self.program), role, "--no-packets", "--ca", "\(pki)/ca.crt", "--certificate",
            "\(pki)/\(file).crt", "--key", "\(pki)/\(file).key", "--gate-key", "\(pki)/gate.key", "--socket",
            socket + ".sock", "--log-level", "debug",
        ]
        command += networks.flatMap { ["--network", $0] }
        if role == "server" {
            // Nothing that needs a right is left to it.
            command = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] + command
            command += ["--egress-socket", socket + "-egress.sock"]
            if !more.contains("--listen") { command += ["--listen", "192.0.2.1:8132"] }
        } else {
            if !more.contains("--server") { command += ["--server", "192.0.2.1:8132"] }
        }
        if let user { command = ["setpriv", "--reuid", "\(user)", "--clear-groups"] + command }
        return try start(space, command + more, hiding: files)
    }

    /// Starts both sides and waits until a packet has come through.
    func startPair(server: [String] = [], client: [String] = [], mtu: Int = 1500) throws -> (
        server: Program, client: Program
    ) {
        let programs = (try startTunnel("server", server, mtu: mtu), try startTunnel("client", client, mtu: mtu))
        try waitForPing()
        return programs
    }

    /// Waits until a ping from behind the seed to behind the shoot is answered.
    func waitForPing(_ target: String = "10.2.0.10", within bound: Double? = nil) throws {
        try waitUntil("\(target) answers", within: bound) { ping(target) }
    }

    func ping(_ target: String, from space: String = "pod-s", _ more: [String] = []) -> Bool {
        (try? output(space, ["ping", "-c", "1", "-W", "1"] + more + [target])) != nil
    }

    /// Waits until something is so, for as long as a busy machine may need.
    ///
    /// - Parameters:
    ///   - what: for the error.
    ///   - bound: within how many seconds it has to be, where that is promised; what the machine gives nobody does not count.
    ///   - condition: is asked again and again.
    /// - Throws: where it never is, where it takes longer than is promised, and what `condition` throws.
    func waitUntil(_ what: String, within bound: Double? = nil, _ condition: () throws -> Bool) throws {
        let watch = try bound.map { _ in try Stopwatch() }
        let end = Date().addingTimeInterval(Self.longest)
        while try !condition() {
            if Date() > end { throw LabError("waited in vain: \(what)\(logs)") }
            usleep(20_000)
        }
        if let bound, let seconds = watch?.seconds, seconds > bound * Self.patience {
            throw LabError("\(what) after \(seconds) s, not \(bound)\(logs)")
        }
    }

    /// What all programs have written.
    private var logs: String { programs.map { "\n--- \($0.log)\n\($0.text)" }.joined() }

    /// Starts a program in a namespace and waits until it listens at a TCP port.
    @discardableResult
    func startListening(_ space: String, _ command: [String], at port: Int) throws -> Program {
        let program = try start(space, command)
        try waitUntil("\(command.joined(separator: " ")) listens") { try listens(space, port) }
        return program
    }

    /// Whether somebody listens at a TCP port in a namespace, according to the kernel.
    private func listens(_ space: String, _ port: Int) throws -> Bool {
        let table = try Namespace.within(handle(space)) {
            try ["tcp", "tcp6"].map { try String(contentsOfFile: "/proc/thread-self/net/\($0)", encoding: .utf8) }
                .joined()
        }
        return table.split(separator: "\n").map { $0.split(separator: " ") }.contains { fields in
            fields.count > 3 && fields[1].hasSuffix(String(format: ":%04X", port)) && fields[3] == "0A"
        }
    }

    /// Whether a program has written a text to its log.
    func says(_ program: Program, _ text: String) throws -> Bool {
        try String(contentsOfFile: program.log, encoding: .utf8).contains(text)
    }

    /// Runs a command in a namespace to its end; a failure throws what it said.
    @discardableResult
    func output(_ space: String, _ command: [String]) throws -> String {
        try Self.run(["ip", "netns", "exec", path(space)] + command)
    }

    @discardableResult
    func shell(_ space: String, _ script: String) throws -> String { try output(space, ["sh", "-c", script]) }

    /// A workload of tendril-bench; returns one of its figures.
    func tool(_ space: String, _ command: [String], figure: String) throws -> Double {
        let text = try output(space, [try #require(Self.tools)] + command)
        let line = text.split(separator: "\n").last.map(String.init) ?? ""
        let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Double]
        return object?[figure] ?? -1
    }

    /// The bytes that arrived according to iperf3's report.
    static func received(_ report: String, _ key: String = "sum_received") throws -> Double {
        let object = try JSONSerialization.jsonObject(with: Data(report.utf8)) as? [String: Any]
        let end = object?["end"] as? [String: Any]
        return (end?[key] as? [String: Any])?["bytes"] as? Double ?? 0
    }

    /// The status that a side tells.
    func status(_ role: String) throws -> [String: Any] {
        let text = try Self.run(
            [try #require(Self.program), "status", "--socket", "\(directory)/\(role).sock", "--output", "json"],
            accepting: [0, 1]
        )
        return try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any] ?? [:]
    }

    /// Gives both sides another CA, certificate and gate key in two phases, as an operator would.
    ///
    /// Both are believed, then the new ones are used. The server has to serve metrics.
    func renewCertificates() throws {
        let (pki, new) = ("\(directory)/pki", "\(directory)/new")
        try Self.issue(new)
        try Self.run(["sh", "-c", "cat \(new)/ca.crt >>\(pki)/ca.crt; cat \(new)/gate.key >>\(pki)/gate.key"])
        try waitUntil("the server believes both") { try metric("tendril_vpn_reloads_total", "ok") >= 1 }
        usleep(1_500_000)
        try Self.run(["sh", "-c", "cp \(new)/server.* \(new)/client.* \(pki)/"])
        try waitUntil("the server has its new certificate") { try metric("tendril_vpn_reloads_total", "ok") >= 2 }
    }

    /// The clients' ends of all lanes, as the server sees them.
    func lanes() throws -> Set<String> {
        let links = try status("server")["links"] as? [[String: Any]] ?? []
        return Set(links.flatMap { $0["lanes"] as? [[String: Any]] ?? [] }.compactMap { $0["address"] as? String })
    }

    func liveLinks(_ role: String) throws -> Int { try status(role)["linksLive"] as? Int ?? -1 }

    /// The value of a metric of the server or the client, summed over all its series, or those whose labels contain `label`.
    func metric(_ name: String, _ label: String? = nil, of role: String = "server") throws -> Double {
        let text = try get("/metrics", of: role)
        return text.split(separator: "\n")
            .filter { line in line.hasPrefix(name) && label.map { line.contains($0) } ?? true }
            .compactMap { $0.split(separator: " ").last.flatMap { Double($0) } }.reduce(0, +)
    }

    /// What a side answers where it serves metrics, which a client does at 10.2.0.1:8133.
    func get(_ path: String, of role: String = "server") throws -> String {
        let (address, space) = role == "server" ? ("10.1.0.1", "seed") : ("10.2.0.1", "shoot")
        return try HTTPGet.text("http://\(address):8133\(path)", inNamespace: handle(space))
    }

    /// Runs a command to its end and returns what it printed.
    @discardableResult
    static func run(_ command: [String], accepting codes: Set<Int32> = [0]) throws -> String {
        let process = Process()
        let pipe = Pipe()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = command
        process.standardOutput = pipe
        process.standardError = pipe
        try process.run()
        let data = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        let text = String(decoding: data, as: UTF8.self)
        guard codes.contains(process.terminationStatus) else {
            throw LabError("\(command.joined(separator: " ")): \(process.terminationStatus): \(text)")
        }
        return text
    }
}

/// A program under test.
final class Program {
    let log: String
    private let process = Process()

    init(_ command: [String], log: String) throws {
        self.log = log
        _ = FileManager.default.createFile(atPath: log, contents: nil)
        let file = try #require(FileHandle(forWritingAtPath: log))
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = command
        process.standardOutput = file
        process.standardError = file
        process.standardInput = FileHandle.nullDevice
        try process.run()
    }

    /// `ip netns exec` and `env` become the program itself, so that this is its own id.
    var identifier: Int32 { process.processIdentifier }
    var isRunning: Bool { process.isRunning }
    var text: String { (try? String(contentsOfFile: log, encoding: .utf8)) ?? "" }

    /// Sends a signal and waits for the end; returns the exit code.
    @discardableResult
    func end(_ signal: Int32) -> Int32 {
        signalEnd(signal)
        process.waitUntilExit()
        return process.terminationStatus
    }

    /// Sends a signal.
    func signalEnd(_ signal: Int32) { if process.isRunning { kill(process.processIdentifier, signal) } }

    /// Waits for the program to end by itself.
    func wait() -> Int32 {
        process.waitUntilExit()
        return process.terminationStatus
    }

    /// A line of /proc/PID/status.
    func state(_ field: String) -> String {
        let text = (try? String(contentsOfFile: "/proc/\(identifier)/status", encoding: .utf8)) ?? ""
        let line = text.split(separator: "\n").first { $0.hasPrefix(field + ":") } ?? ""
        return line.dropFirst(field.count + 1).trimmingCharacters(in: .whitespaces)
    }

    /// How many descriptors it has open.
    var descriptorCount: Int {
        (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(identifier)/fd").count) ?? 0
    }

    /// How long it has had a processor, in seconds.
    var processorTime: Double {
        let text = (try? String(contentsOfFile: "/proc/\(identifier)/stat", encoding: .utf8)) ?? ""
        // Behind the name, which may hold anything.
        let fields = text[(text.lastIndex(of: ")") ?? text.startIndex)...].split(separator: " ")
        return fields.dropFirst(12).prefix(2).reduce(0) { $0 + (Double($1) ?? 0) } / Double(sysconf(CInt(_SC_CLK_TCK)))
    }

    /// Resident memory in KiB.
    var residentMemory: Int { Int(state("VmRSS").split(separator: " ").first ?? "") ?? 0 }
}

struct LabError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
