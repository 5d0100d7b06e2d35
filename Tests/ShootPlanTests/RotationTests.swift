import ClusterModel
import ShootPlan
import Testing

@Suite("The exchange of credentials")
struct RotationTests {
    /// Every step of a rotation, as it is taken when nothing fails.
    private static func steps() throws -> [Rotation] {
        var rotation = Rotation()
        var all = [rotation]
        func note() { all.append(rotation) }
        #expect(rotation.start(at: 10) == nil)
        note()
        rotation.reached(at: 11)
        note()
        rotation.reached(at: 12)
        #expect(rotation.complete() == nil)
        note()
        rotation.reached(at: 13)
        note()
        rotation.reached(at: 14)
        all.append(rotation)
        return all
    }

    @Test("Whoever is a step ahead and whoever is a step behind believe one another", arguments: [true, false])
    func neighbours(isServed: Bool) throws {
        let steps = try Self.steps().map { $0.generations(isServed: isServed) }
        for (before, after) in zip(steps, steps.dropFirst()) {
            #expect(after.all.contains(before.used), "\(before) is shown to \(after)")
            #expect(before.all.contains(after.used), "\(after) is shown to \(before)")
        }
        #expect(steps.first == CredentialGenerations(used: 0, other: nil))
        #expect(steps.last == CredentialGenerations(used: 1, other: nil))
    }

    @Test("Who believes but the old CA meets it at the API server until people complete the rotation")
    func people() throws {
        var rotation = Rotation()
        #expect(rotation.start(at: 1) == nil)
        for _ in 0..<5 {
            rotation.reached(at: 2)
            #expect(rotation.generations(isServed: true).used == 0)
        }
        // What they take between the halves believes both.
        #expect(rotation.phase == .prepared && rotation.generations(isServed: true).all == [0, 1])
        #expect(rotation.complete() == nil)
        #expect(rotation.generations(isServed: true).used == 1)
    }

    @Test("Nothing is begun twice, and nothing given up before all have moved")
    func order() {
        var rotation = Rotation()
        #expect(rotation.complete() != nil && rotation.phase == nil)
        #expect(rotation.start(at: 5) == nil && rotation.phase == .preparing)
        #expect(rotation.start(at: 6) != nil && rotation.complete() != nil)
        // Who wrote it down and was stopped finds the wish once more.
        #expect(rotation.hasBegun(.rotateStart) && !rotation.hasBegun(.rotateComplete))
        rotation.reached(at: 7)
        // New credentials are used, but it is not seen yet that all do.
        #expect(rotation.usesNewKeys && rotation.phase == .preparing && rotation.complete() != nil)
        rotation.reached(at: 8)
        #expect(rotation.phase == .prepared && rotation.start(at: 9) != nil)
        #expect(rotation.complete() == nil && rotation.phase == .completing && rotation.start(at: 10) != nil)
        rotation.reached(at: 11)
        #expect(rotation.step == .settled && rotation.phase == .completing && rotation.start(at: 12) != nil)
        rotation.reached(at: 13)
        #expect(rotation.phase == .completed && rotation.startTime == 5 && rotation.completionTime == 13)
        #expect(rotation.start(at: 14) == nil && rotation.number == 2 && rotation.completionTime == nil)
        #expect(rotation.generations(isServed: false) == CredentialGenerations(used: 1, other: 2))
    }

    @Test("A record that is lost is found again by the credentials that are there, and never by half of them")
    func lost() throws {
        for rotation in try Self.steps().dropFirst() {
            let (own, served) = (rotation.generations(isServed: false), rotation.generations(isServed: true))
            let found = Rotation(finding: own, served, told: nil)
            #expect(found?.number == rotation.number && found?.step == rotation.step && found?.isInForce == false)
        }
        let first = CredentialGenerations(used: 0, other: nil)
        #expect(Rotation(finding: first, first, told: nil) == nil)
        #expect(Rotation(finding: CredentialGenerations(used: 1, other: 0), first, told: nil) == nil)
    }

    @Test(
        "One that its status says is completed was so then, and not when its record was lost; only that is believed",
        arguments: RotationPhase.allCases
    )
    func told(_ phase: RotationPhase) throws {
        let settled = CredentialGenerations(used: 2, other: nil)
        func found(_ start: String?, _ end: String?) -> Rotation? {
            Rotation(finding: settled, settled, told: .init(phase: phase, startTime: start, completionTime: end))
        }
        let (begin, end) = ("1970-01-01T00:00:05Z", "1970-01-01T00:00:13Z")
        var rotation = try #require(found(begin, end))
        #expect(rotation.startTime == 5 && rotation.isInForce == (phase == .completed))
        #expect(rotation.completionTime == (phase == .completed ? 13 : nil))
        rotation.reached(at: 99)
        #expect(rotation.completionTime == (phase == .completed ? 13 : 99))
        // A moment that nobody can read is now: what is older is believed by nobody.
        for text in [nil, "", "yesterday"] as [String?] { #expect(found(begin, text)?.isInForce == false) }
        let moved = Rotation(
            finding: CredentialGenerations(used: 2, other: 1),
            CredentialGenerations(used: 1, other: 2),
            told: .init(phase: phase, startTime: begin, completionTime: end)
        )
        #expect(moved?.step == .moved && moved?.isInForce == false && moved?.completionTime == nil)
    }
}
