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

    /// A Lease as a machine renews it whose clock is so many seconds ahead.
    private func put(_ index: Int, _ holder: String?, ahead: Int = 0) {
        let name = TendrilAPI.restartLease(index)
        let renewed = KubernetesTime.microText(seconds: UInt64(Int(Clock.unixTime()) + ahead))
        let spec = Lease.Spec(holderIdentity: holder, leaseDurationSeconds: 900, renewTime: renewed)
        leases.withLock { $0[name] = (Lease(ObjectMetadata(name: name), spec: spec), 0) }
    }

    private func acquire(_ size: Int = 1, second: UInt64 = 0) async -> Bool {
        await budget.acquire(budget: size, at: MonotonicTime(nanoseconds: second * 1_000_000_000))
    }

    private func holder(_ index: Int) -> String? {
        leases.withLock { $0[TendrilAPI.restartLease(index)]?.lease.spec?.holderIdentity }
    }

    private func writes(_ index: Int) -> Int { leases.withLock { $0[TendrilAPI.restartLease(index)]?.writes ?? 0 } }

    @Test(
        "A Lease is free that nobody holds, or that was seen unchanged for long, whatever time its holder thinks it is",
        arguments: [
            (nil, 0, 0, true), ("", 0, 0, true), ("w1", 0, 0, true), ("w2", 0, 0, false), ("w2", 0, 899, false),
            ("w2", 0, 900, true), ("w2", -86_400, 0, false), ("w2", -86_400, 899, false), ("w2", 86_400, 899, false),
            ("w2", 86_400, 900, true),
        ] as [(String?, Int, UInt64, Bool)]
    )
    func free(holder: String?, ahead: Int, second: UInt64, isFree: Bool) async {
        put(0, holder, ahead: ahead)
        if second > 0 { #expect(await !acquire()) }
        #expect(await acquire(second: second) == isFree)
        #expect(self.holder(0) == (isFree ? "w1" : holder))
    }

    @Test("One that is renewed is never free, and neither is one that another machine takes meanwhile")
    func renewed() async {
        for round in UInt64(0)..<10 {
            put(0, "w2", ahead: Int(round))
            #expect(await !acquire(second: round * 600))
        }
        put(0, "w3")
        #expect(await !acquire(second: 6300))
        #expect(await !acquire(second: 7199))
        #expect(await acquire(second: 7200))
    }

    @Test(
        "How long it says to be good for is believed up to an hour",
        arguments: [(nil, 900), (60, 60), (1_000_000, 3600)] as [(Int?, UInt64)]
    )
    func duration(seconds: Int?, limit: UInt64) async {
        let name = TendrilAPI.restartLease(0)
        var spec = Lease.Spec(holderIdentity: "w2", leaseDurationSeconds: 0, renewTime: nil)
        spec.leaseDurationSeconds = seconds
        leases.withLock { [spec] in $0[name] = (Lease(ObjectMetadata(name: name), spec: spec), 0) }
        #expect(await !acquire())
        #expect(await !acquire(second: limit - 1))
        #expect(await acquire(second: limit))
    }

    @Test("One that is held is enough, and all are given back")
    func one() async {
        put(0, "w2")
        put(1, nil)
        #expect(await acquire(2))
        put(0, "")
        #expect(await acquire(2))
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
        #expect(await acquire())
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
