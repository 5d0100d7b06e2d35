import ClusterModel
import ShootPlan
import Testing

@Suite("What a pass over a shoot does")
struct OccasionTests {
    /// What differs from a shoot with which all is done, and what follows from it.
    struct Case: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let expected: FlowExtent?
        let operation: ShootOperation?
        let renewal: Renewals.Extent?
        let change: @Sendable (inout Occasion) -> Void

        init(
            _ name: String,
            _ expected: FlowExtent?,
            asked operation: ShootOperation? = nil,
            renewal: Renewals.Extent? = nil,
            _ change: @escaping @Sendable (inout Occasion) -> Void = { _ in }
        ) {
            (testDescription, self.expected, self.operation) = (name, expected, operation)
            (self.renewal, self.change) = (renewal, change)
        }
    }

    private static var done: Occasion {
        var occasion = Occasion()
        (occasion.generation, occasion.settled) = (2, 2)
        return occasion
    }

    static let cases = [
        Case("all is done", nil),
        Case("something else is wanted", .changes) { $0.generation = 3 },
        Case("something else is wanted, and the operator's changes wait", .changes) {
            ($0.generation, $0.isQuiet) = (3, true)
        },
        Case("nothing was done yet", .changes) { $0.settled = nil },
        Case("an earlier process did it", .changes) { ($0.settled, $0.isKnown) = (nil, true) },
        Case("an earlier process did it, and the operator's changes wait", nil) {
            ($0.settled, $0.isKnown, $0.isQuiet) = (nil, true, true)
        },
        Case("something is broken", .thorough) { ($0.needsRepair, $0.isQuiet) = (true, true) },
        Case("it is long ago", .thorough) { $0.isOverdue = true },
        Case("it is long ago, and the operator's changes wait", nil) { ($0.isOverdue, $0.isQuiet) = (true, true) },
        Case("people's part was begun", .access) { $0.unfinished = .access },
        Case("a flow was begun", .changes) { $0.unfinished = .changes },
        Case("a thorough flow was begun", .thorough) { $0.unfinished = .thorough },
        Case("somebody asks for all of it", .thorough, asked: .reconcile),
        Case("somebody asks for another attempt", .changes, asked: .retry),
        Case("somebody asks for a rotation", .changes, asked: .rotateStart),
        Case("people's certificate is due", .access, renewal: .access),
        Case("certificates are due", .changes, renewal: .all),
        Case("certificates are due after a flow for people", .changes, renewal: .all) { $0.unfinished = .access },
    ]

    @Test("follows from what it finds", arguments: cases)
    func extent(_ found: Case) {
        var occasion = Self.done
        found.change(&occasion)
        #expect(occasion.extent(found.operation, FlowRecords(), found.renewal) == found.expected)
    }

    @Test("goes on with a rotation once the shoot is awake")
    func rotation() {
        var rotation = Rotation()
        #expect(rotation.start(at: 1) == nil)
        var records = FlowRecords()
        records.rotation = rotation
        var occasion = Self.done
        #expect(occasion.extent(nil, records, nil) == .changes)
        occasion.isHibernated = true
        #expect(occasion.extent(nil, records, nil) == nil)
    }

    @Test("goes on with a restoration: its data at once, its control plane once the shoot is awake")
    func restoration() throws {
        let snapshot = try #require(StoredSnapshot(key: "a/20260101T000000Z.snapshot", size: 1, in: "a/"))
        var restoration = Restoration(snapshot, at: 1)
        func extent(isHibernated: Bool) -> FlowExtent? {
            var records = FlowRecords()
            records.restoration = restoration
            var occasion = Self.done
            occasion.isHibernated = isHibernated
            return occasion.extent(nil, records, nil)
        }
        #expect(extent(isHibernated: false) == .changes && extent(isHibernated: true) == .changes)
        restoration.replaced()
        #expect(extent(isHibernated: false) == .changes && extent(isHibernated: true) == nil)
        restoration.completed(at: 2)
        #expect(extent(isHibernated: false) == nil)
    }

    @Test("renews nothing of what sleeps, and is calm where nothing is to be done")
    func calm() {
        let renewals = Renewals(people: 1, leaves: 1, tokens: 1)
        var occasion = Self.done
        #expect(occasion.isCalm && occasion.renewal(renewals, at: 2) == .all)
        occasion.isHibernated = true
        #expect(occasion.isCalm && occasion.renewal(renewals, at: 2) == nil)
        occasion.unfinished = .access
        #expect(!occasion.isCalm)
    }
}
