import ShootPlan
import TendrilCore
import Testing

@Suite("How often what others break is made again")
struct RepairPaceTests {
    private func time(_ seconds: UInt64) -> MonotonicTime { MonotonicTime(nanoseconds: seconds * 1_000_000_000) }

    /// When repairs begin, in seconds, where all is broken again at once and a repair takes none.
    private func repairs(_ pace: inout RepairPace, from start: UInt64 = 0, until end: UInt64) -> [UInt64] {
        var made: MonotonicTime?
        return stride(from: start, to: end, by: 10).filter { second in
            guard pace.mayRepair(at: time(second), madeAt: made) else { return false }
            made = time(second)
            return true
        }
    }

    @Test("At once, each minute for a while, then ever more seldom, down to once an hour")
    func slowsDown() {
        var pace = RepairPace()
        let all = repairs(&pace, until: 100_000)
        #expect(all.prefix(8) == [0, 60, 120, 180, 240, 300, 420, 660])
        let pauses = zip(all.dropFirst(), all).map { $0 - $1 }
        #expect(pauses == pauses.sorted() && pauses.last == 3600)
    }

    @Test("After an hour of peace as in the beginning")
    func forgets() {
        var pace = RepairPace()
        _ = repairs(&pace, until: 100_000)
        let later = repairs(&pace, from: 110_000, until: 110_200)
        #expect(later == [110_000, 110_060, 110_120, 110_180])
    }
}
