import ClusterModel
import ShootPlan
import ShootSamples
import TendrilCore
import Testing

@Suite("Maintenance windows")
struct MaintenanceWindowTests {
    private func shoot(_ begin: String, _ end: String) throws -> Shoot {
        try Samples.shoot { $0.spec.maintenance = .init(timeWindow: .init(begin: begin, end: end)) }
    }

    /// Seconds since 1970 at a time of some day.
    private func at(_ hour: UInt64, _ minute: UInt64, second: UInt64 = 0) -> UInt64 {
        20_000 * 86400 + hour * 3600 + minute * 60 + second
    }

    @Test("open from its beginning until its end, also over midnight")
    func opens() throws {
        let day = try #require(MaintenanceWindow(shoot("09:30", "11:00").spec))
        #expect(!day.isOpen(at: at(9, 29, second: 59)) && day.isOpen(at: at(9, 30)))
        #expect(day.isOpen(at: at(10, 59, second: 59)) && !day.isOpen(at: at(11, 0)) && !day.isOpen(at: at(23, 0)))
        let night = try #require(MaintenanceWindow(shoot("23:00", "01:00").spec))
        #expect(!night.isOpen(at: at(22, 59)) && night.isOpen(at: at(23, 0)) && night.isOpen(at: at(0, 59)))
        #expect(!night.isOpen(at: at(1, 0)) && !night.isOpen(at: at(12, 0)))
    }

    @Test("none, where nothing is said")
    func none() throws { #expect(MaintenanceWindow(try Samples.shoot().spec) == nil) }

    @Test(
        "what is no window is refused with its field",
        arguments: [
            ("24:00", "01:00", "begin"), ("1:00", "02:00", "begin"), ("01:00", "02:60", "end"), ("01:00", "", "end"),
            ("01:00:00", "02:00", "begin"), ("+1:00", "02:00", "begin"), ("01:00", "01:29", "timeWindow"),
            ("01:00", "01:00", "timeWindow"),
        ]
    )
    func refused(begin: String, end: String, field: String) throws {
        let problems = ShootRules.problems(try shoot(begin, end))
        #expect(problems.count == 1 && problems.first?.path.hasSuffix(field) == true, "\(problems)")
    }
}
