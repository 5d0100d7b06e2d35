import ClusterModel
import Coordinator
import LinuxSystem
import ShootSamples
import TendrilCore
import Testing

@Suite("An Event of a shoot for which nothing could begin", .timeLimit(.minutes(5)))
struct FailureEventsTests {
    private static let status = "PATCH /apis/tendril.dev/v1alpha1/namespaces/demo/shoots/one/status"

    private static func events(_ api: MemoryAPI) -> [JSONValue] { api.bodies("POST /api/v1/namespaces/demo/events") }

    /// Has a coordinator look at a shoot, again whenever this changes it, and waits each time until it has failed.
    private func fail(_ shoot: Shoot, _ api: MemoryAPI, _ changes: [(inout Shoot) -> Void] = []) async throws {
        let loop = ShootLoop(shoot, try Works.environment(api))
        var shoot = shoot
        let none: (inout Shoot) -> Void = { _ in }
        for change in [none] + changes {
            change(&shoot)
            let before = api.bodies(Self.status).count
            let deadline = Clock.now() + .seconds(60)
            await loop.observe(shoot)
            while api.bodies(Self.status).count == before, Clock.now() < deadline {
                try await Task.sleep(.milliseconds(5))
            }
            #expect(api.bodies(Self.status).count > before)
        }
        await loop.end()
    }

    private func known(_ change: (inout Shoot) -> Void) throws -> (Shoot, MemoryAPI) {
        let api = MemoryAPI()
        try api.put(try Samples.seed("here"))
        let shoot = try Samples.shoot {
            ($0.metadata.generation, $0.metadata.uid) = (1, "u1")
            change(&$0)
        }
        try api.put(shoot)
        return (shoot, api)
    }

    @Test("tells why once for each generation, whoever begins anew")
    func refused() async throws {
        let (shoot, api) = try known {
            ($0.metadata.finalizers, $0.spec.seedName) = ([ShootAnnotation.finalizer], "here")
            ($0.spec.workers[0].minimum, $0.spec.workers[0].maximum) = (3, 2)
        }
        try await fail(shoot, api, [{ $0.metadata.annotations = ["a": "b"] }])
        #expect(Self.events(api).map { $0["reason"] } == ["ReconcileFailed"])
        #expect(Self.events(api).first?["type"] == "Warning")
        let text = Self.events(api).first?["message"]?.text ?? ""
        #expect(text.contains("spec.workers[0].minimum: 3 is more than the maximum 2"), "\(text)")
        try await fail(try #require(try api.find(Shoot.self, "one", namespace: "demo")), api)
        #expect(Self.events(api).count == 1)
        let next = try #require(try api.find(Shoot.self, "one", namespace: "demo"))
        try await fail(next, api, [{ $0.metadata.generation = 2 }])
        #expect(Self.events(api).count == 2)
    }

    @Test("tells that no seed takes it")
    func unscheduled() async throws {
        let (shoot, api) = try known { _ in }
        // There is no image of its machines.
        try await fail(shoot, api)
        let told = Self.events(api)
        #expect(told.map { $0["reason"] } == ["ReconcileFailed"])
        #expect(told.first?["message"]?.text?.hasPrefix("the seed here does not take it: ") == true, "\(told)")
    }
}
