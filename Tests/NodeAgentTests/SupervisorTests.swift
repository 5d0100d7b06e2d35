import ClusterModel
import FoundationEssentials
import HTTPModel
import KubernetesClient
import LinuxSystem
import NodeAgent
import NodePlan
import TendrilCore
import Testing

@Suite("A node in steady state")
struct SupervisorTests {
    /// What the API server answers for the Node, and what it was told.
    struct API: Sendable {
        var node = HTTPResponse(status: 404)
        /// Statuses of the answers to patches, before all others succeed.
        var patches: [Int] = []
        var told: [String] = []
    }

    private let units: RecordedUnits
    private let machine: TestMachine
    private let supervisor: Supervisor
    private let api = Guarded(API())

    init() throws {
        units = RecordedUnits()
        machine = try TestMachine(units: units)
        supervisor = Supervisor(machine.context, machine.membership, try Bootstrap(machine.context))
        machine.server.state.withLock { [api] state in
            state.answer = { request in
                api.withLock { api in
                    if request.url.hasSuffix("/nodes/w1"), request.method == .get { return api.node }
                    guard request.url.hasSuffix("/nodes/w1/status") else { return HTTPResponse(status: 200) }
                    let status = api.patches.isEmpty ? 200 : api.patches.removeFirst()
                    if status == 200 { api.told.append(String(decoding: request.body, as: UTF8.self)) }
                    return HTTPResponse(status: status, body: TestMachine.node(conditions: []))
                }
            }
        }
    }

    private func answer(_ conditions: [Condition]) {
        let body = TestMachine.node(conditions: conditions)
        api.withLock { $0.node = HTTPResponse(status: 200, body: body) }
    }

    private var status: AgentStatus? {
        get throws {
            try machine.context.files.read(AgentPaths.status).map {
                try JSONDecoder().decode(AgentStatus.self, from: Data($0))
            }
        }
    }

    @Test("The end of a failure is told again until the Node says so")
    func told() async throws {
        let failure = AgentFailure(.unit, "a.service does not start")
        await supervisor.note(failure)
        let bad = Condition("TendrilAgentReady", status: "False", reason: "ReconcileFailed", message: failure.message)
        #expect(api.withLock { $0.told.count } == 1)
        await supervisor.note(failure)
        #expect(api.withLock { $0.told.count } == 1, "what the Node says is not said again")
        api.withLock { ($0.patches, $0.told) = ([500], []) }
        await supervisor.clearFailure()
        #expect(api.withLock { $0.told.isEmpty })
        answer([bad])
        await supervisor.lookAtNode()
        let told = api.withLock { $0.told }
        #expect(told.count == 1 && told[0].contains("AsWanted"))
        // Somebody has put an old state back.
        await supervisor.lookAtNode()
        #expect(api.withLock { $0.told.count } == 2)
        let message = "the node is as it is wanted"
        answer([Condition("TendrilAgentReady", status: "True", reason: "AsWanted", message: message)])
        await supervisor.lookAtNode()
        #expect(api.withLock { $0.told.count } == 2)
    }

    @Test("Before anything was tried nothing is told")
    func unjudged() async throws {
        answer([Condition("TendrilAgentReady", status: "False", reason: "ReconcileFailed", message: "of before")])
        await supervisor.lookAtNode()
        #expect(api.withLock { $0.told.isEmpty })
    }

    @Test("A kubelet whose Node stays away is restarted, once in half an hour; nobody's answer says nothing of it")
    func lostNode() async throws {
        var spec = NodeConfiguration.Spec()
        spec.kubelet = .init(version: "1.20.2")
        try await machine.bring(try TestMachine.generation(1, spec))
        func restarts(from first: UInt64, looks: UInt64) async -> Int {
            units.done.withLock { $0 = [] }
            for look in first..<(first + looks) {
                await supervisor.lookAtNode(at: MonotonicTime(nanoseconds: look * 60_000_000_000))
            }
            return units.done.withLock { $0.count { $0 == "restart kubelet.service" } }
        }
        api.withLock { $0.node = HTTPResponse(status: 403) }
        #expect(await restarts(from: 0, looks: 10) == 0)
        #expect(await supervisor.isLeaving(), "what is not known is left alone")
        api.withLock { $0.node = HTTPResponse(status: 404) }
        #expect(await restarts(from: 10, looks: 2) == 0)
        #expect(await restarts(from: 12, looks: 1) == 1)
        #expect(try status?.cause == .unhealthy && status?.error == "there is no Node w1")
        #expect(await restarts(from: 13, looks: 29) == 0)
        #expect(await restarts(from: 42, looks: 3) == 1)
        #expect(await !supervisor.isLeaving(), "nobody waits for its pods")
        answer([])
        #expect(await restarts(from: 45, looks: 1) == 0)
        #expect(try status?.cause == nil)
    }
}
