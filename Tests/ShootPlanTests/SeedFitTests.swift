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
}
