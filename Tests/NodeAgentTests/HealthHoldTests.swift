import ClusterModel
import HTTPModel
import LinuxSystem
import NodeAgent
import NodePlan
import Testing

@Suite("How a generation proves itself")
struct HealthHoldTests {
    private let machine: TestMachine

    init() throws { machine = try TestMachine() }

    private static func generation(_ number: Int, _ text: String, _ arguments: [String] = []) throws
        -> SignedConfiguration
    {
        var spec = NodeConfiguration.Spec()
        spec.files = [.init(path: "/etc/app/config", content: .init(inline: text))]
        spec.kubelet = .init(version: "1.20.2")
        spec.kubelet?.extraArguments = arguments
        return try TestMachine.generation(number, spec)
    }

    @Test("What a Node said before its kubelet was started does not count, where that was started")
    func staleReady() async throws {
        let heard = Guarded<UInt64>(0)
        machine.server.state.withLock { state in
            state.answer = { request in
                guard request.url.hasSuffix("/nodes/w1") else { return HTTPResponse(status: 200) }
                var ready = Condition("Ready", status: "True")
                ready.lastHeartbeatTime = KubernetesTime.text(seconds: heard.withLock { $0 })
                return HTTPResponse(status: 200, body: TestMachine.node(conditions: [ready]))
            }
        }
        var spec = NodeConfiguration.Spec()
        spec.kubelet = .init(version: "1.20.2")
        let document = NodeConfiguration(pool: "worker", generation: 1, spec: spec)
        let now = Moment.now()
        let before = now.unixTime - 1000
        func moment(_ unixTime: UInt64) -> Moment { Moment(unixTime: unixTime, boot: now.boot, nanoseconds: .max) }
        let cases: [(UInt64, Moment?, Bool)] = [
            (before, nil, true), (before, moment(before - 1), true), (before, moment(before), true),
            (before, moment(before + 1), false),
            // The clock was two hours ahead then, and was set back since.
            (now.unixTime + 3600, moment(now.unixTime + 7200), true),
        ]
        for (time, start, isWell) in cases {
            heard.withLock { $0 = time }
            let hold = HealthHold(machine.context, machine.access, document, kubeletStart: start)
            let problem = await hold.problem()
            #expect((problem == nil) == isWell, "\(start?.unixTime ?? 0): \(problem?.reason ?? "well")")
        }
    }

    @Test("When the kubelet was started is kept, also over a stop, and only where it was")
    func kept() async throws {
        let generations = machine.generations
        try await machine.bring(try Self.generation(1, "old"))
        let harmless = try Self.generation(2, "new")
        _ = try generations.accept(harmless)
        _ = try await generations.apply(harmless) { _ in true }
        #expect(try generations.kubeletStart() == nil && !generations.isUntouched())
        let other = try Self.generation(3, "new", ["--v=2"])
        _ = try generations.accept(other)
        #expect(try generations.kubeletStart() == nil)
        _ = try await generations.apply(other) { _ in true }
        #expect(try generations.kubeletStart() != nil)
        try machine.restart(believing: machine.authority)
        #expect(try machine.generations.kubeletStart() == generations.kubeletStart())
        let last = try Self.generation(4, "last", ["--v=2"])
        _ = try machine.generations.accept(last)
        #expect(try machine.generations.kubeletStart() != nil, "what takes its place is judged by the same kubelet")
    }

    @Test("When the kubelet was started is read as an earlier release kept it")
    func keptEarlier() async throws {
        try await machine.bring(try Self.generation(1, "old"))
        let pending = String(decoding: try CanonicalJSON.bytes(try Self.generation(2, "new")), as: UTF8.self)
        let start = Moment.now().unixTime - 1000
        try machine.write(AgentPaths.pending, "{\"begunAt\":\(start),\"configuration\":\(pending),\"isBegun\":true}")
        #expect(try machine.generations.kubeletStart()?.earliest() == start)
        _ = try machine.generations.accept(try Self.generation(3, "last"))
        #expect(try machine.generations.kubeletStart()?.earliest() == start)
        #expect(try machine.text(AgentPaths.pending)?.contains("begunAt") == false)
    }
}
