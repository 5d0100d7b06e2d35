import ClusterModel
import FoundationEssentials
import HTTPModel
import LinuxSystem
import NodeAgent
import NodePlan
import TLSEngine
import TendrilCore
import Testing

@Suite("Leave to restart")
struct RestartBudgetTests {
    private let machine: TestMachine
    private let budget: RestartBudget
    /// What is kept in each Lease; how often each was written.
    private let leases = Guarded<[String: (lease: Lease, writes: Int)]>([:])

    init() throws {
        machine = try TestMachine()
        budget = RestartBudget(client: machine.access.client, machine: "w1", logger: machine.context.logger)
        machine.server.state.withLock { [leases] state in
            state.answer = { request in
                leases.withLock { leases in
                    let name = String(request.url.split(separator: "/").last ?? "")
                    guard let kept = leases[name] else { return HTTPResponse(status: 404) }
                    if request.method == .put,
                        let lease = try? JSONDecoder().decode(Lease.self, from: Data(request.body))
                    {
                        leases[name] = (lease, kept.writes + 1)
                    }
                    let body = (try? CanonicalJSON.bytes(leases[name]?.lease)) ?? []
                    return HTTPResponse(status: 200, body: body)
                }
            }
        }
    }

    private func put(_ index: Int, _ holder: String?, age: UInt64 = 0) {
        let name = TendrilAPI.restartLease(index)
        let renewed = KubernetesTime.microText(seconds: Clock.unixTime() - age)
        let spec = Lease.Spec(holderIdentity: holder, leaseDurationSeconds: 900, renewTime: renewed)
        leases.withLock { $0[name] = (Lease(ObjectMetadata(name: name), spec: spec), 0) }
    }

    private func holder(_ index: Int) -> String? {
        leases.withLock { $0[TendrilAPI.restartLease(index)]?.lease.spec?.holderIdentity }
    }

    private func writes(_ index: Int) -> Int { leases.withLock { $0[TendrilAPI.restartLease(index)]?.writes ?? 0 } }

    @Test(
        "A Lease is free that nobody holds, or holds no more",
        arguments: [
            (nil, 0, true), ("", 0, true), ("w1", 0, true), ("w2", 0, false), ("w2", 890, false), ("w2", 902, true),
        ] as [(String?, UInt64, Bool)]
    )
    func free(holder: String?, age: UInt64, isFree: Bool) async {
        put(0, holder, age: age)
        #expect(await budget.acquire(budget: 1) == isFree)
        #expect(self.holder(0) == (isFree ? "w1" : holder))
    }

    @Test("One that is held is enough, and all are given back")
    func one() async {
        put(0, "w2")
        put(1, nil)
        #expect(await budget.acquire(budget: 2))
        put(0, "")
        #expect(await budget.acquire(budget: 2))
        #expect(holder(0) == "" && holder(1) == "w1")
        await budget.release()
        #expect(holder(0) == "" && holder(1) == "")
        put(1, "w2")
        await budget.release()
        #expect(holder(1) == "w2")
    }

    @Test("What is held is renewed; what somebody else has taken is his")
    func renewal() async throws {
        put(0, nil)
        #expect(await budget.acquire(budget: 1))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { [budget] in await budget.renew(every: .milliseconds(5)) }
            let deadline = Clock.now() + .seconds(240)
            while writes(0) < 3, Clock.now() < deadline { try await Task.sleep(nanoseconds: 1_000_000) }
            #expect(writes(0) >= 3)
            put(0, "w2")
            try await Task.sleep(nanoseconds: 50_000_000)
            group.cancelAll()
        }
        #expect(holder(0) == "w2")
    }

    @Test("Leave is asked for once all is there that is to be had from elsewhere")
    func fetchedBefore() async throws {
        var spec = NodeConfiguration.Spec()
        let digest = Digest.hex([])
        let image = NodeConfiguration.ImageFile(reference: "a.invalid/b@sha256:\(digest)", path: "/b", sha256: digest)
        spec.files = [.init(path: "/opt/tool", content: .init(image: image))]
        spec.units = [.init(name: "app.service", restartOn: ["/opt/tool"])]
        let generation = try TestMachine.generation(1, spec)
        _ = try machine.generations.accept(generation)
        let asked = Guarded(false)
        let failure = await #expect(throws: AgentFailure.self) {
            _ = try await machine.generations.apply(generation) { _ in
                asked.withLock { $0 = true }
                return true
            }
        }
        #expect(failure?.cause == .image || failure?.cause == .missingProgram, "\(failure?.message ?? "none")")
        #expect(!asked.withLock { $0 })
    }
}
