import ShootPlan
import Testing

@Suite("What has to be renewed, and when")
struct RenewalsTests {
    private static let hour: UInt64 = 3600
    private static let day: UInt64 = 86400
    private static let now: UInt64 = 20_000 * day

    /// How long ago something came due, in seconds; negative for what is to come.
    private func renewals(people: Int64, leaves: Int64, tokens: Int64) -> Renewals {
        func moment(_ ago: Int64) -> UInt64 { UInt64(Int64(Self.now) - ago) }
        return Renewals(people: moment(people), leaves: moment(leaves), tokens: moment(tokens))
    }

    /// Three ages in hours, and what is due inside of the window and outside of it.
    struct Case: Sendable {
        let hours: (people: Int64, leaves: Int64, tokens: Int64)
        let open: Renewals.Extent?
        let quiet: Renewals.Extent?
    }

    @Test(
        "People's access at any time; the rest in the window, or once two thirds of the time for it are over",
        arguments: [
            Case(hours: (-1, -1, -1), open: nil, quiet: nil),
            Case(hours: (0, -1, -1), open: .all, quiet: .access),
            Case(hours: (-1, 0, -1), open: .all, quiet: nil),
            Case(hours: (-1, -1, 0), open: .all, quiet: nil),
            Case(hours: (1, 1, 1), open: .all, quiet: .access),
            // Of 18 days twelve.
            Case(hours: (-1, 12 * 24 - 1, -1), open: .all, quiet: nil),
            Case(hours: (1, 12 * 24 + 1, -1), open: .all, quiet: .all),
            // Of three and a half days two and a third.
            Case(hours: (-1, -1, 55), open: .all, quiet: nil),
            Case(hours: (-1, -1, 57), open: .all, quiet: .all),
            Case(hours: (-1, 90 * 24, -1), open: .all, quiet: .all),
        ]
    )
    func due(_ example: Case) {
        func seconds(_ hours: Int64) -> Int64 { hours * Int64(Self.hour) }
        let (people, leaves, tokens) = example.hours
        let renewals = renewals(people: seconds(people), leaves: seconds(leaves), tokens: seconds(tokens))
        #expect(renewals.due(at: Self.now, isQuiet: false) == example.open)
        #expect(renewals.due(at: Self.now, isQuiet: true) == example.quiet)
    }

    @Test("What is never due never is")
    func never() {
        let none = Renewals(people: .max, leaves: .max, tokens: .max)
        #expect(none.due(at: Self.now, isQuiet: false) == nil && none.due(at: Self.now, isQuiet: true) == nil)
        #expect(!none.hasComeDue(since: 0, at: Self.now))
    }

    @Test("A flow is interrupted for what came due since it began, and for nothing that it renews itself")
    func interrupts() {
        let begun = Self.now - 60
        #expect(renewals(people: 30, leaves: -1, tokens: -1).hasComeDue(since: begun, at: Self.now))
        #expect(renewals(people: -1, leaves: -1, tokens: 0).hasComeDue(since: begun, at: Self.now))
        #expect(!renewals(people: 90, leaves: 60, tokens: 3600).hasComeDue(since: begun, at: Self.now))
        #expect(!renewals(people: -1, leaves: -1, tokens: -1).hasComeDue(since: begun, at: Self.now))
    }
}
