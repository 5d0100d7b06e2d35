import Foundation
import Testing

@Suite("The daemon's health", .serialized, .enabled(if: Lab.obstacle == nil, "\(Lab.obstacle ?? "")"))
struct HealthTests {
    private let metrics = ["--metrics", "10.1.0.1:8133"]

    private func health(_ lab: Lab) throws -> Int {
        try HTTPGet.answer("http://10.1.0.1:8133/healthz", inNamespace: lab.handle("seed")).status
    }

    @Test("is bad while the control loop stands still, and only then")
    func standsStill() throws {
        let lab = try Lab()
        let server = try lab.startStreams("seed", "server", metrics)
        try lab.waitUntil("it is well without a link") { (try? health(lab)) == 200 }
        // Whoever opens this waits for somebody to write.
        try Lab.run(["sh", "-ec", "cd \(lab.directory)/pki; mv ca.crt file; mkfifo ca.crt"])
        try lab.waitUntil("it is missed") { try health(lab) == 503 }
        #expect(server.isRunning)
        try Lab.run(["sh", "-ec", "cd \(lab.directory)/pki; mv ca.crt pipe; mv file ca.crt; cat ca.crt >pipe"])
        try lab.waitUntil("it goes on") { try health(lab) == 200 }
    }

    /// Starts a program whose errors go to a pipe with room for 4096 bytes that nobody reads, but that has a reader.
    private static let unread = """
        import fcntl, os, sys
        reader, writer = os.pipe()
        fcntl.fcntl(writer, 1031, 4096)  # F_SETPIPE_SZ
        os.set_inheritable(reader, True)
        os.dup2(writer, 2)
        os.execvp(sys.argv[1], sys.argv[1:])
        """

    @Test("does not hang on whoever reads its log")
    func unreadLog() throws {
        let lab = try Lab()
        let pki = "\(lab.directory)/pki"
        let server = try lab.start(
            "seed",
            [
                "python3", "-c", Self.unread, try #require(Lab.program), "server", "--no-packets", "--listen",
                "192.0.2.1:8132", "--ca", "\(pki)/ca.crt", "--certificate", "\(pki)/server.crt", "--key",
                "\(pki)/server.key", "--gate-key", "\(pki)/gate.key", "--network", "10.2.0.0/24", "--socket",
                "\(lab.directory)/server.sock", "--egress-socket", lab.egress, "--log-level", "trace",
            ] + metrics
        )
        _ = try lab.startStreams("shoot", "client", [])
        _ = try lab.start("pod-c", [try #require(Lab.tools), "echo", "--listen", "10.2.0.10:7"])
        try lab.waitUntil("a stream is opened") { (try? EgressSocket(lab.egress, "10.2.0.10:7")) != nil }
        // A line each, of which the pipe has room for some thirty.
        for _ in 0..<100 {
            server.signalEnd(SIGHUP)
            usleep(20_000)
        }
        try lab.waitUntil("nobody takes its lines") { try lab.metric("tendril_vpn_log_lines_lost_total") > 0 }
        try EgressSocket(lab.egress, "10.2.0.10:7").exchange([1, 2, 3])
        #expect(try health(lab) == 200)
    }
}
