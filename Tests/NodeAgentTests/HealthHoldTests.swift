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
        let heard: UInt64 = 1_790_000_000
        machine.server.state.withLock { state in
            state.answer = { request in
                guard request.url.hasSuffix("/nodes/w1") else { return HTTPResponse(status: 200) }
                var ready = Condition("Ready", status: "True")
                ready.lastHeartbeatTime = KubernetesTime.text(seconds: heard)
                return HTTPResponse(status: 200, body: TestMachine.node(conditions: [ready]))
            }
        }
        var spec = NodeConfiguration.Spec()
        spec.kubelet = .init(version: "1.20.2")
        let document = NodeConfiguration(pool: "worker", generation: 1, spec: spec)
        let cases: [(UInt64?, Bool)] = [(nil, true), (heard - 1, true), (heard, true), (heard + 1, false)]
        for (begunAt, isWell) in cases {
            let hold = HealthHold(machine.context, machine.access, document, begunAt: begunAt)
            let problem = await hold.problem()
            #expect((problem == nil) == isWell, "\(begunAt ?? 0): \(problem ?? "well")")
        }
    }

    @Test("When the kubelet was started is kept, also over a stop, and only where it was")
    func kept() async throws {
        let generations = machine.generations
        try await machine.bring(try Self.generation(1, "old"))
        let harmless = try Self.generation(2, "new")
        _ = try generations.accept(harmless)
        _ = try await generations.apply(harmless) { _ in true }
        #expect(try generations.begunAt() == nil && !generations.isUntouched())
        let other = try Self.generation(3, "new", ["--v=2"])
        _ = try generations.accept(other)
        #expect(try generations.begunAt() == nil)
        _ = try await generations.apply(other) { _ in true }
        #expect(try generations.begunAt() != nil)
        try machine.restart(believing: machine.authority)
        #expect(try machine.generations.begunAt() == generations.begunAt())
        let last = try Self.generation(4, "last", ["--v=2"])
        _ = try machine.generations.accept(last)
        #expect(try machine.generations.begunAt() != nil, "what takes its place is judged by the same kubelet")
    }
}
