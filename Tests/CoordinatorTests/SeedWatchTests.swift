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

    @Test("are in the metrics, and so are shoots that wait for somebody")
    func metrics() throws {
        let counts = CoordinatorCounts()
        func seed(_ name: String) throws -> Seed {
            try Samples.seed(name) {
                var status = Seed.Status()
                status.shoots = 7
                $0.status = status
            }
        }
        counts.saw([try seed("here"), try seed("far")], silent: ["far"])
        func shoot(_ name: String, _ seed: String?, isPaused: Bool = false) throws -> Shoot {
            let status: JSONValue = [
                "lastOperation": [
                    "type": "Create", "state": "Failed", "progress": 0, "description": "",
                    "lastUpdateTime": "2026-01-01T00:00:00Z",
                ]
            ]
            let known = try status.decoded(as: ShootStatus.self)
            return try Samples.shoot {
                ($0.metadata.name, $0.spec.seedName, $0.status) = (name, seed, known)
                if isPaused { $0.metadata.annotations = [ShootAnnotation.pause: "true"] }
            }
        }
        for seen in [try shoot("a", "here"), try shoot("b", "here", isPaused: true), try shoot("c", nil)] {
            counts.saw(seen, seed: "here")
        }
        // Another coordinator's.
        counts.saw(try shoot("d", "far"), seed: "here")
        let lines = Set(counts.text(coordinators: 1).split(separator: "\n").map(String.init))
        let wanted: Set = [
            "tendril_coordinator_seed_silent{seed=\"far\"} 1", "tendril_coordinator_seed_silent{seed=\"here\"} 0",
            "tendril_coordinator_seed_shoots{seed=\"here\"} 7", "tendril_coordinator_seed_capacity{seed=\"far\"} 200",
            "tendril_coordinator_shoots 2", "tendril_coordinator_shoots_paused 1",
            "tendril_coordinator_shoots_by_state{operation=\"Create\",state=\"Failed\"} 3",
        ]
        #expect(lines.isSuperset(of: wanted), "\(wanted.subtracting(lines))")
        counts.forget(try shoot("a", "here").key)
        #expect(counts.text(coordinators: 1).contains("tendril_coordinator_shoots 1\n"))
    }

    @Test("Control planes whose Shoot is gone are counted, once all shoots are known, and nobody else's")
    func orphans() async throws {
        let api = MemoryAPI()
        try api.put(try Samples.shoot { ($0.metadata.name, $0.spec.seedName) = ("moved", "there") })
        let environment = try Works.environment(api)
        let watch = SeedWatch(environment)
        let names = ["one", "moved", "gone"].map { "shoot--demo--\($0)" }
        let namespaces = Set(names + ["kube-system", "shoot--demo", "shoot--demo--a--b", "shoot----a"])
        func count() -> String? {
            environment.counts.text(coordinators: 1).split(separator: "\n").map(String.init)
                .first { $0.hasPrefix("tendril_coordinator_orphans ") }
        }
        environment.places.know("demo/one", seed: "here")
        try await watch.findOrphans(among: namespaces)
        #expect(count() == "tendril_coordinator_orphans 0")
        environment.places.complete()
        try await watch.findOrphans(among: namespaces)
        #expect(count() == "tendril_coordinator_orphans 1")
        // Whoever is not to write here, or no longer, leaves the number to who is.
        api["/apis/tendril.dev/v1alpha1/seeds/here"] = [
            "metadata": ["name": "here"], "spec": try CanonicalJSON.value(try Samples.seed),
        ]
        var pulse = SeedPulse()
        let left = SeedWatch(environment.fenced(for: "seed"))
        try await left.look(&pulse, at: MonotonicTime(nanoseconds: 0))
        #expect(count() == "tendril_coordinator_orphans 0")
        try await watch.findOrphans(among: namespaces)
        #expect(count() == "tendril_coordinator_orphans 1")
        try await watch.findOrphans(among: [names[0]])
        #expect(count() == "tendril_coordinator_orphans 0")
    }
}
