import Foundation
import TendrilCore
import Testing

@Suite(
    "Streams, when one lane of two is lost",
    .serialized,
    .enabled(if: Lab.obstacle == nil, "\(Lab.obstacle ?? "")")
)
struct LaneLossTests {
    private static let target = "10.2.0.10:7"
    private static let service = "198.51.100.1:6443"

    /// A pair with two lanes, and streams over it in both directions, some of which are never idle.
    private final class Scene {
        let lab: Lab
        let traffic: [Traffic]
        let pumps: [Pump]

        init() throws {
            let lab = try Lab()
            _ = try lab.startStreams("seed", "server", ["--lanes", "2", "--api-server", "10.1.0.10:7"])
            _ = try lab.startStreams("shoot", "client", ["--lanes", "2", "--api-server-listen", service])
            for (space, address) in [("pod-c", target), ("pod-s", "10.1.0.10:7")] {
                _ = try lab.start(space, [try #require(Lab.tools), "echo", "--listen", address])
            }
            try lab.waitUntil("a stream is opened") { (try? EgressSocket(lab.egress, target)) != nil }
            try lab.waitUntil("both lanes are up") { try lab.lanes().count == 2 }
            let (egress, pod) = (lab.egress, lab.handle("pod-c"))
            self.lab = lab
            traffic = [
                try Traffic(streams: 10) { _ in try EgressSocket(egress, target) },
                try Traffic(streams: 10) { _ in try PodSocket(pod, service) },
            ]
            pumps = try (0..<6).map { index in
                try Pump(index < 3 ? EgressSocket(egress, target) : PodSocket(pod, service))
            }
            usleep(1_000_000)
        }

        /// The client's port of one lane, another one for another number.
        func port(_ number: Int) throws -> String {
            let ports = try lab.lanes().sorted().compactMap { $0.split(separator: ":").last.map(String.init) }
            try #require(ports.count == 2)
            return ports[number]
        }

        /// Lets nothing through that begins anew, nor anything of one connection.
        func cut(_ port: String? = nil) throws {
            let silent = port.map {
                ("ip daddr 192.0.2.1 tcp sport \($0) drop; ", "ip saddr 192.0.2.1 tcp dport \($0) drop; ")
            }
            try lab.shell(
                "shoot",
                """
                nft 'table ip cut { chain out { type filter hook output priority 0; \(silent?.0 ?? "")\
                ip daddr 192.0.2.1 tcp flags & (syn|ack) == syn drop; }; \
                chain in { type filter hook input priority 0; \(silent?.1 ?? "")}; }'
                """
            )
        }

        func heal() throws {
            try lab.shell("shoot", "nft delete table ip cut")
            try lab.waitUntil("both lanes are up again") { try lab.lanes().count == 2 }
        }

        /// Waits until every stream has gone on; the round that was under way may just have come to its end.
        ///
        /// - Returns: how many seconds that took.
        func goOn(within bound: Double, after event: () throws -> Void) throws -> Double {
            let start = Date()
            try event()
            let old = progress()
            try lab.waitUntil("all streams go on", within: bound) {
                zip(progress(), old).allSatisfy { $0 >= $1 + 2 }
            }
            return Date().timeIntervalSince(start)
        }

        private func progress() -> [UInt64] { traffic.flatMap(\.rounds) + pumps.map(\.rounds) }

        /// Ends all streams; nothing may be lost or repeated.
        func finish() {
            for traffic in traffic {
                traffic.finish()
                #expect(traffic.failures == [])
            }
            for pump in pumps { #expect(pump.finish() == nil) }
        }
    }

    @Test("go on over the other one at once where it was reset, though nobody answers who dials anew")
    func reset() throws {
        let scene = try Scene()
        let port = try scene.port(0)
        try scene.cut()
        _ = try scene.goOn(within: 1) {
            try scene.lab.shell("shoot", "ss -K dst 192.0.2.1 dport = 8132 sport = \(port)")
        }
        #expect(try scene.lab.lanes().count == 1)
        try scene.heal()
        scene.finish()
    }

    @Test("go on over the other one as soon as silence is noticed, and back again when that is lost, too")
    func silence() throws {
        let scene = try Scene()
        let ports = [try scene.port(0), try scene.port(1)]
        for port in ports {
            // Nothing was heard for 2.5 s.
            #expect(try scene.goOn(within: 3.5) { try scene.cut(port) } > 1)
            try scene.lab.waitUntil("one lane is left") { try scene.lab.lanes().count == 1 }
            try scene.heal()
        }
        scene.finish()
        let streams = try scene.lab.status("server")["streams"] as? [String: Any]
        #expect(streams?["resumed"] as? Int ?? 0 >= 26, "\(streams ?? [:])")
    }
}

/// A stream that is full in both directions, whose bytes say where they belong.
private final class Pump {
    private let counts = AtomicWords(count: 4)
    private var threads: [TestThread] = []
    private let stream: Connection

    init(_ stream: Connection) throws {
        self.stream = stream
        let counts = counts
        threads = [
            try TestThread {
                var sent = 0
                while counts.load(1) == 0 {
                    let chunk = (sent..<(sent + 10_000)).map(Self.byte)
                    guard (try? stream.send(chunk)) != nil else { break }
                    sent += chunk.count
                    // Bytes are under way at any time; the processors are not the matter here.
                    usleep(2000)
                }
                counts.store(UInt64(sent), at: 2)
                stream.endSending()
            },
            try TestThread {
                var heard = 0
                while let chunk = try? stream.receive(10_000), !chunk.isEmpty {
                    let isRight = chunk.indices.allSatisfy { chunk[$0] == Self.byte(heard + $0) }
                    if !isRight { counts.add(1, at: 3) }
                    heard += chunk.count
                    counts.store(UInt64(heard), at: 0)
                }
            },
        ]
    }

    private static func byte(_ offset: Int) -> UInt8 {
        UInt8(truncatingIfNeeded: offset &* 31 ^ offset >> 8 ^ offset >> 16)
    }

    /// How many pieces of ten thousand bytes have come back.
    var rounds: UInt64 { counts.load(0) / 10_000 }

    /// Ends it; what is wrong with what has come back, if anything.
    func finish() -> String? {
        counts.store(1, at: 1)
        for thread in threads { thread.join() }
        let (heard, sent, wrong) = (counts.load(0), counts.load(2), counts.load(3))
        return heard == sent && wrong == 0 ? nil : "\(heard) bytes have come back of \(sent), \(wrong) pieces are wrong"
    }
}
