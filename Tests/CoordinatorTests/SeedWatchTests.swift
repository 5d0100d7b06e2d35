import ClusterModel
import Coordinator
import ShootPlan
import ShootSamples
import TendrilCore
import Testing

@Suite("Other seeds that are silent")
struct SeedWatchTests {
    @Test("Nobody knows how their shoots are, which is said of each though one of them cannot be read")
    func unreadable() async throws {
        let api = MemoryAPI()
        api["/apis/tendril.dev/v1alpha1/seeds/other"] = [
            "metadata": ["name": "other"], "spec": try CanonicalJSON.value(try Samples.seed),
        ]
        let place = "/apis/tendril.dev/v1alpha1/namespaces/demo/shoots/"
        let shoot = try CanonicalJSON.value(try Samples.shoot { $0.spec.seedName = "other" })
        // Before and after it in the list.
        for name in ["a", "c"] { api[place + name] = shoot.merging(["metadata": ["name": .string(name)]]) }
        api[place + "b"] = ["metadata": ["name": "b", "namespace": "demo"], "spec": 7]
        let watch = SeedWatch(try Works.environment(api))
        var pulse = SeedPulse()
        for second in [0, 50, 100] as [UInt64] {
            try await watch.look(&pulse, at: MonotonicTime(nanoseconds: second * 1_000_000_000))
        }
        for name in ["a", "c"] {
            let conditions = api[place + name]?["status"]?["conditions"]?.items ?? []
            #expect(conditions.count == ShootCondition.allCases.count, "\(name)")
            #expect(conditions.allSatisfy { $0["reason"] == "SeedSilent" }, "\(name)")
        }
    }
}
