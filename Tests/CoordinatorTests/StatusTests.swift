import ClusterModel
import Coordinator
import HTTPModel
import LinuxSystem
import ShootPlan
import ShootSamples
import TendrilCore
import Testing

@Suite("What is told of a shoot", .timeLimit(.minutes(10)))
struct StatusTests {
    private static let status = "PATCH /apis/tendril.dev/v1alpha1/namespaces/demo/shoots/one/status"

    private func tell(_ api: MemoryAPI, isFinal: Bool, _ change: (inout Shoot) -> Void = { _ in }) async throws {
        await StatusWriter.tellFailure(
            "no",
            .configuration,
            isFinal: isFinal,
            of: try Samples.shoot(change),
            garden: api.client,
            logger: Works.silent
        )
    }

    @Test("why no flow could begin, and whether that is tried again")
    func failure() async throws {
        let api = MemoryAPI()
        try await tell(api, isFinal: true) { $0.metadata.generation = 7 }
        try await tell(api, isFinal: false) { $0.metadata.deletionTimestamp = "2026-01-01T00:00:00Z" }
        let told = api.bodies(Self.status).compactMap { $0["status"] }
        #expect(told.map { $0["lastOperation"]?["state"] } == ["Failed", "Error"])
        #expect(told.map { $0["lastOperation"]?["type"] } == ["Reconcile", "Delete"])
        #expect(told.first?["lastOperation"]?["generation"] == 7)
        #expect(told.first?["lastErrors"]?.items.first?["code"] == "ERR_CONFIGURATION_PROBLEM")
        #expect(told.first?["lastErrors"]?.items.first?["description"] == "no")
    }

    @Test("a garden that does not take it ends nothing", arguments: [404, 500])
    func garden(_ code: Int) async throws {
        let api = MemoryAPI { _ in HTTPResponse(status: code) }
        try await tell(api, isFinal: true)
        #expect(api.bodies(Self.status).count == 1)
    }

    @Test("the same is not written twice")
    func progress() async throws {
        let api = MemoryAPI()
        let shoot = try Samples.shoot()
        let writer = StatusWriter(garden: api.client, shoot: shoot, type: .create, logger: Works.silent)
        await writer.progressed(10, running: ["Starting etcd"])
        await writer.progressed(10, running: ["Starting etcd"])
        await writer.progressed(20, running: ["Starting etcd"])
        #expect(api.bodies(Self.status).compactMap { $0["status"]?["lastOperation"]?["progress"] } == [10, 20])
    }

    /// One turn of the watch over the other seeds.
    private func watch(_ environment: CoordinatorEnvironment, until isDone: () -> Bool) async throws {
        let watch = Task { await SeedWatch(environment).run() }
        while !isDone() { try await Task.sleep(.milliseconds(1)) }
        watch.cancel()
        await watch.value
    }

    @Test("a shoot whose seed is none is told so once; one whose seed is there is left alone")
    func lost() async throws {
        let api = MemoryAPI()
        try api.put(try Samples.shoot { $0.spec.seedName = "gone" })
        try api.put(
            try Samples.shoot {
                $0.metadata.name = "two"
                $0.spec.seedName = "there"
            }
        )
        let seed: JSONValue = ["metadata": ["name": "there"], "spec": try CanonicalJSON.value(try Samples.seed)]
        api["/apis/tendril.dev/v1alpha1/seeds/there"] = seed
        let environment = try Works.environment(api)
        environment.places.know("demo/one", seed: "gone")
        environment.places.know("demo/two", seed: "there")
        try await watch(environment) { !api.bodies(Self.status).isEmpty }
        let shoot = try #require(try api.find(Shoot.self, "one", namespace: "demo"))
        #expect(shoot.status?.lastErrors?.first?.description == "spec.seedName: there is no seed gone")
        #expect(shoot.status?.lastErrors?.first?.code == .configuration)
        #expect(shoot.status?.lastOperation?.state == .failed)
        let read = "GET /apis/tendril.dev/v1alpha1/namespaces/demo/shoots/one"
        let before = api.bodies(read).count
        try await watch(environment) { api.bodies(read).count > before }
        #expect(api.bodies(Self.status).count == 1)
        #expect(api.bodies("PATCH").count == 1)
        #expect(api.bodies("POST /api/v1/namespaces/demo/events").map { $0["reason"] } == ["ReconcileFailed"])
    }

    /// The conditions of a shoot whose coredns has no pod that is ready.
    private func conditions(isAsleep: Bool = false, _ change: (inout Shoot) -> Void) async throws -> [String: Condition]
    {
        let api = MemoryAPI { $0.url.hasSuffix("/readyz") ? HTTPResponse(status: 200) : nil }
        api["/apis/apps/v1/namespaces/kube-system/deployments/coredns"] = [
            "metadata": ["generation": 1], "spec": ["replicas": 1],
            "status": ["observedGeneration": 1, "replicas": 1, "updatedReplicas": 1],
        ]
        api["/api/v1/namespaces/default/endpoints/kubernetes"] = [
            "subsets": [["addresses": [["ip": .string(ReservedNetwork.apiServer)]]]]
        ]
        var records = FlowRecords()
        records.tasks[TaskName.addons] = .init(
            inputs: "x",
            output: ["workloads": ["deployments/coredns"], "leftOut": [], "paths": []]
        )
        let work = try Works.work(api, try Works.configuration(), change)
        let check = HealthCheck(work: work, records: records, board: WorkloadBoard(), isAsleep: isAsleep) { work.seed }
        return Dictionary(uniqueKeysWithValues: await check.conditions().map { ($0.type, $0) })
    }

    @Test("pods that have no node to run on are missed only where there are to be nodes", arguments: [0, 1])
    func withoutNodes(_ minimum: Int) async throws {
        let all = try await conditions { $0.spec.workers[0].minimum = minimum }
        let system = try #require(all[ShootCondition.systemComponentsHealthy.rawValue])
        #expect(system.status == (minimum == 0 ? "True" : "False"), "\(system.message ?? "")")
    }

    /// How a shoot is whose API answers some requests otherwise, and what it was asked.
    private func look(
        _ fault: @escaping @Sendable (HTTPRequest) -> HTTPResponse?,
        labels: JSONValue = Ownership.renderedLabels
    ) async throws -> (conditions: [String: Condition], api: MemoryAPI) {
        let api = MemoryAPI(fault)
        let names = ["coredns", "metrics-server"]
        for name in names {
            api["/apis/apps/v1/namespaces/kube-system/deployments/\(name)"] = [
                "metadata": ["name": .string(name), "generation": 1, "labels": labels], "spec": ["replicas": 1],
                "status": ["observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1],
            ]
        }
        api["/api/v1/namespaces/default/endpoints/kubernetes"] = [
            "subsets": [["addresses": [["ip": .string(ReservedNetwork.apiServer)]]]]
        ]
        let workloads = names.map { JSONValue.string("deployments/\($0)") }
        var records = FlowRecords()
        records.tasks[TaskName.addons] = .init(
            inputs: "x",
            output: ["workloads": .array(workloads), "leftOut": [], "paths": []]
        )
        let work = try Works.work(api, try Works.configuration()) { $0.spec.workers[0].minimum = 0 }
        let check = HealthCheck(work: work, records: records, board: WorkloadBoard(), isAsleep: false) { work.seed }
        let conditions = await check.conditions()
        return (Dictionary(uniqueKeysWithValues: conditions.map { ($0.type, $0) }), api)
    }

    @Test("without a request that says nothing new: nodes show that the API is there, and a list all add-ons of a kind")
    func requests() async throws {
        let (conditions, api) = try await look { _ in nil }
        #expect(conditions[ShootCondition.apiServerAvailable.rawValue]?.status == "True")
        #expect(conditions[ShootCondition.systemComponentsHealthy.rawValue]?.status == "True")
        let deployments = "GET /apis/apps/v1/namespaces/kube-system/deployments"
        #expect(api.bodies("GET /readyz").isEmpty && api.bodies(deployments).count == 1)
        // Somebody has taken our label away: each is asked for.
        let (others, bare) = try await look({ _ in nil }, labels: [:])
        #expect(others[ShootCondition.systemComponentsHealthy.rawValue]?.status == "True")
        #expect(bare.bodies(deployments).count == 3)
    }

    @Test(
        "whose API does not give its nodes: it is there where it says so by itself",
        arguments: [(200, "True", "Unknown"), (500, "False", "Unknown")]
    )
    func withoutList(_ readiness: Int, _ available: String, _ nodes: String) async throws {
        let (conditions, api) = try await look { request in
            if request.url.hasSuffix("/readyz") { return HTTPResponse(status: readiness) }
            return request.url.contains("/api/v1/nodes?") ? HTTPResponse(status: 403) : nil
        }
        #expect(conditions[ShootCondition.apiServerAvailable.rawValue]?.status == available)
        #expect(conditions[ShootCondition.everyNodeReady.rawValue]?.status == nodes)
        #expect(!api.bodies("GET /readyz").isEmpty)
    }

    @Test("that it sleeps is said once it does", arguments: [true, false])
    func asleep(_ isAsleep: Bool) async throws {
        let all = try await conditions(isAsleep: isAsleep) { $0.spec.hibernation.enabled = true }
        #expect(all.count == 4 && all.values.allSatisfy { $0.status == (isAsleep ? "True" : "Unknown") })
    }
}
