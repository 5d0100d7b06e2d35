import ShootPlan
import TendrilCore
import Testing

@Suite("How often what others break is made again")
struct RepairPaceTests {
    private func time(_ seconds: UInt64) -> MonotonicTime { MonotonicTime(nanoseconds: seconds * 1_000_000_000) }

    /// When repairs begin, in seconds, where all is broken again at once and a repair takes none.
    private func repairs(until end: UInt64) -> [UInt64] {
        var pace = RepairPace()
        var made: MonotonicTime?
        return stride(from: 0, to: end, by: 10).filter { second in
            guard pace.mayRepair(at: time(second), madeAt: made) else { return false }
            made = time(second)
            return true
        }
    }

    @Test("At once, each minute for a while, then ever more seldom, down to once an hour")
    func slowsDown() {
        let all = repairs(until: 100_000)
        #expect(all.prefix(7) == [0, 60, 120, 180, 240, 300, 420])
        let pauses = zip(all.dropFirst(), all).map { $0 - $1 }
        #expect(pauses == pauses.sorted() && pauses.last == 3600)
    }

    @Test("After an hour of peace as in the beginning")
    func forgets() {
        var pace = RepairPace()
        var now: UInt64 = 0
        for _ in 0..<20 {
            while !pace.mayRepair(at: time(now), madeAt: time(now - min(now, 60))) { now += 3600 }
            now += 60
        }
        now += 7300
        #expect(pace.mayRepair(at: time(now), madeAt: nil))
        #expect(pace.mayRepair(at: time(now + 60), madeAt: time(now)))
    }
}
