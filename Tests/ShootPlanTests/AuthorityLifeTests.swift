import ClusterModel
import ShootPlan
import Testing

@Suite("CAs that end")
struct AuthorityLifeTests {
    private static let day: UInt64 = 86400
    private static let made: UInt64 = 1_800_000_000
    private static let end = made + UInt64(Authority.days) * day

    private func condition(_ ends: [String: UInt64], daysBeforeEnd: Int64) -> Condition? {
        AuthorityLife.condition(ends, at: UInt64(Int64(Self.end) - daysBeforeEnd * Int64(Self.day)))
    }

    @Test("it is said a year before, and not before that")
    func notice() throws {
        let ends = ["ca": Self.end, "ca-etcd": Self.end + 400 * Self.day]
        #expect(AuthorityLife.condition(ends, at: Self.made) == nil)
        #expect(condition(ends, daysBeforeEnd: 366) == nil)
        let said = try #require(condition(ends, daysBeforeEnd: 365))
        #expect(said.type == "AuthoritiesExpire" && said.status == "True" && said.reason == "ExpireSoon")
        #expect(said.message == "the CAs ca end from 2037-01-12T08:00:00Z on: exchange all CAs and keys")
    }

    @Test("after the end, too; one that was exchanged is not spoken of any more")
    func afterwards() throws {
        #expect(condition(["ca": Self.end], daysBeforeEnd: -3)?.reason == "Expired")
        #expect(condition(["ca": Self.end + 3650 * Self.day], daysBeforeEnd: 1) == nil)
        #expect(condition([:], daysBeforeEnd: 1) == nil)
    }

    @Test("there is time for a leaf's whole life after it is said")
    func leaves() { #expect(AuthorityLife.notice > 2 * UInt64(LeafPlan.days)) }
}
