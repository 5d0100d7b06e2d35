import ClusterModel
import Coordinator
import HTTPModel
import LinuxSystem
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
        while !isDone() { try await Task.sleep(nanoseconds: 1_000_000) }
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
    }
}
