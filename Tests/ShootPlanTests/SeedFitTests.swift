import ClusterModel
import ShootPlan
import ShootSamples
import TendrilCore
import Testing

@Suite("Which seed takes a shoot")
struct SeedFitTests {
    private func seed(_ change: (inout Seed) -> Void = { _ in }) throws -> Seed {
        try Samples.seed("here") {
            $0.spec.region = "eu-1"
            change(&$0)
        }
    }

    @Test("the one that is named, and the one that hosts it, whichever is named")
    func hosts() throws {
        let shoot = try Samples.shoot {
            $0.spec.seedName = "there"
            $0.status = ShootStatus()
            $0.status?.seedName = "here"
        }
        #expect(shoot.isOf(seed: "here") && shoot.isOf(seed: "there") && !shoot.isOf(seed: "other"))
        #expect(try !Samples.shoot().isOf(seed: "here"))
    }

    @Test("one with room in the same region, whose networks are others")
    func takes() throws {
        #expect(SeedFit.reason(try seed(), against: try Samples.shoot(), hosted: 3) == nil)
        #expect(SeedFit.reason(try seed(), against: try Samples.shoot { $0.spec.region = "eu-1" }, hosted: 3) == nil)
    }

    @Test("none that is full, closed, going, elsewhere, or in the same networks")
    func refuses() throws {
        func reason(
            _ change: (inout Seed) -> Void = { _ in },
            hosted: Int = 0,
            shoot: (inout Shoot) -> Void = { _ in }
        ) throws -> String {
            SeedFit.reason(try seed(change), against: try Samples.shoot(shoot), hosted: hosted) ?? ""
        }
        #expect(try reason(hosted: 200).contains("full"))
        #expect(try reason { $0.spec.unschedulable = true }.contains("takes no new"))
        #expect(try reason { $0.metadata.deletionTimestamp = "2026-01-01T00:00:00Z" }.contains("deleted"))
        #expect(
            try reason {
                $0.spec.region = nil
            } shoot: {
                $0.spec.region = "us-1"
            }.contains("not in us-1")
        )
        #expect(
            try reason { _ in
            } shoot: {
                $0.spec.networking.pods = "10.240.0.0/12"
            }.contains("the seed's pods")
        )
    }

    /// A seed with so many places, of which a coordinator says that it takes care of it.
    private func ready(_ name: String, _ capacity: Int, _ change: (inout Seed) -> Void = { _ in }) throws -> Seed {
        try Samples.seed(name) {
            ($0.spec.capacity, $0.spec.region) = (capacity, "eu-1")
            var status = Seed.Status()
            status.conditions = [Condition(Seed.ready, status: "True")]
            $0.status = status
            change(&$0)
        }
    }

    @Test(
        "of several the one with the smallest share of its places in use, and of equal ones the first by name",
        arguments: [
            (["a": 10, "b": 9, "c": 11], [1, 0, 2]), (["a": 10, "b": 10, "c": 10], [0, 1, 2]), ([:], [0, 1, 2]),
            // The third has ten times the places.
            (["a": 10, "b": 11, "large": 90], [1, 2, 0]), (["a": 0, "b": 0, "large": 1], [0, 1, 2]),
            (["a": 100, "b": 99, "large": 999], [2, 0, 1]),
        ] as [([String: Int], [Int])]
    )
    func emptiest(_ hosted: [String: Int], _ better: [Int]) throws {
        let third = hosted["large"] == nil ? try ready("c", 100) : try ready("large", 1000)
        let seeds = [try ready("a", 100), try ready("b", 100), third]
        let shoot = try Samples.shoot()
        let found = seeds.map { seed in SeedFit.betterThan(seed, for: shoot, among: seeds) { hosted[$0] ?? 0 } }
        #expect(found == better)
    }

    @Test("none goes before that does not take it, or of which nobody says that he takes care of it")
    func unfit() throws {
        let own = try ready("z", 100)
        let others = [
            try ready("a", 100) { $0.spec.unschedulable = true }, try ready("b", 100) { $0.spec.region = "elsewhere" },
            try ready("c", 100) { $0.status?.conditions = [Condition(Seed.ready, status: "Unknown")] },
            try ready("d", 100) { $0.status = nil }, try ready("e", 0),
        ]
        let shoot = try Samples.shoot { $0.spec.region = "eu-1" }
        let count = SeedFit.betterThan(own, for: shoot, among: others + [own]) { _ in 50 }
        #expect(count == 0)
        let fit = try ready("f", 1000)
        #expect(SeedFit.betterThan(own, for: shoot, among: others + [own, fit]) { _ in 50 } == 1)
    }
}
