import TendrilCore
import TestSupport
import Testing
import TunnelProtocol

@Suite("The fair queue")
struct FairQueueTests {
    private func time(_ milliseconds: UInt64) -> MonotonicTime { MonotonicTime(nanoseconds: milliseconds * 1_000_000) }

    @Test("keeps each flow's order, loses nothing, and keeps its books", arguments: 1...10 as ClosedRange<UInt64>)
    func keepsOrder(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var ledger = PacketLedger(small: 300, large: 20)
        var queue = FairQueue()
        var sent: [Int32: (flow: UInt64, number: Int)] = [:]
        var counts: [UInt64: Int] = [:]
        var seen: [UInt64: Int] = [:]
        var bytes = 0
        for _ in 0..<20_000 {
            if random.next() % 2 == 0, let slot = ledger.take(random.next() % 8 == 0 ? .large : .small) {
                let flow = random.next() % 7
                let length = Int(random.next() % 1500) + 40
                ledger.record(slot, length: length, at: time(1))
                queue.enqueue(slot, hash: flow << 32 | flow << 48, &ledger)
                counts[flow, default: 0] += 1
                sent[slot] = (flow, counts[flow, default: 0])
                bytes += length
            } else if let departure = queue.dequeue(at: time(1), &ledger) {
                let (flow, number) = sent[departure.slot] ?? (99, -1)
                #expect(number == seen[flow, default: 0] + 1)
                seen[flow] = number
                bytes -= ledger.length(of: departure.slot)
                ledger.release(departure.slot)
            }
            #expect(queue.bytes == bytes)
        }
        while let departure = queue.dequeue(at: time(1), &ledger) { ledger.release(departure.slot) }
        #expect(queue.isEmpty && queue.bytes == 0 && queue.largeCount == 0)
    }

    @Test("lets a sparse flow pass a bulk flow at once")
    func sparseGoesFirst() {
        var ledger = PacketLedger(small: 10, large: 50)
        var queue = FairQueue()
        for _ in 0..<40 { add(60_000, flow: 1, &queue, &ledger) }
        for _ in 0..<3 { if let departure = queue.dequeue(at: time(1), &ledger) { ledger.release(departure.slot) } }
        let small = add(64, flow: 2, &queue, &ledger)
        let departure = queue.dequeue(at: time(1), &ledger)
        #expect(departure?.slot == small)
    }

    @Test("gives two bulk flows the same bytes, whatever the size of their packets")
    func sharesFairly() {
        var ledger = PacketLedger(small: 2000, large: 50)
        var queue = FairQueue()
        var taken: [Int32: Int] = [:]
        var large: Set<Int32> = []
        for _ in 0..<50 { large.insert(add(60_000, flow: 1, &queue, &ledger)) }
        for _ in 0..<2000 { add(1500, flow: 2, &queue, &ledger) }
        var total = 0
        while total < 3_000_000, let departure = queue.dequeue(at: time(1), &ledger) {
            let length = ledger.length(of: departure.slot)
            taken[large.contains(departure.slot) ? 1 : 2, default: 0] += length
            total += length
        }
        let share = Double(taken[1, default: 0]) / Double(total)
        #expect((0.45...0.55).contains(share))
    }

    @Test("evicts from the flow that holds the most")
    func evictsFattest() {
        var ledger = PacketLedger(small: 50, large: 5)
        var queue = FairQueue()
        let fat = add(50_000, flow: 1, &queue, &ledger)
        for _ in 0..<20 { add(1500, flow: 2, &queue, &ledger) }
        #expect(queue.evict(&ledger) == fat)
    }

    @discardableResult
    private func add(_ length: Int, flow: UInt64, _ queue: inout FairQueue, _ ledger: inout PacketLedger) -> Int32 {
        guard let slot = ledger.take(length > 2048 ? .large : .small) else { return -1 }
        ledger.record(slot, length: length, at: time(1))
        queue.enqueue(slot, hash: flow << 32, &ledger)
        return slot
    }
}

@Suite("CoDel")
struct CoDelTests {
    private func run(sojourn: UInt64, for milliseconds: UInt64) -> [UInt64] {
        var codel = CoDel()
        return (0..<milliseconds).filter { moment in
            codel.signals(
                sojourn: .milliseconds(sojourn),
                isLast: false,
                at: MonotonicTime(nanoseconds: (moment + 1000) * 1_000_000),
                .init()
            )
        }
    }

    @Test("keeps quiet below its target")
    func keepsQuiet() { #expect(run(sojourn: 4, for: 10_000).isEmpty) }

    @Test("signals after an interval, then more and more often")
    func signalsMoreOften() {
        let signals = run(sojourn: 20, for: 2000)
        #expect(signals.first == 100)
        let gaps = zip(signals.dropFirst(), signals).map { $0 - $1 }
        #expect(signals.count > 10 && zip(gaps.dropFirst(), gaps).allSatisfy { $0 <= $1 + 1 })
    }

    @Test("keeps quiet where nothing stands behind the packet")
    func sparesTheLast() {
        var codel = CoDel()
        for moment in 0..<2000 as Range<UInt64> {
            let isSignal = codel.signals(
                sojourn: .milliseconds(50),
                isLast: true,
                at: MonotonicTime(nanoseconds: moment * 1_000_000),
                .init()
            )
            #expect(!isSignal)
        }
    }
}

@Suite("The queue's limit")
struct QueueLimitTests {
    @Test("is 20 ms of the lane's rate within its bounds")
    func followsRate() {
        var limit = QueueLimit(at: MonotonicTime(nanoseconds: 0))
        #expect(limit.bytes == QueueLimit.ceiling)
        limit.note(sent: 10_000_000)
        let isClosed = limit.advance(to: MonotonicTime(nanoseconds: 100_000_000), isBacklogged: true)
        #expect(isClosed)
        #expect(limit.rate == 100_000_000 && limit.bytes == 2_000_000 && limit.unsentBytes == 200_000)
        #expect(limit.parameters.target == .milliseconds(5))
        var slow = QueueLimit(at: MonotonicTime(nanoseconds: 0))
        slow.note(sent: 100_000)
        _ = slow.advance(to: MonotonicTime(nanoseconds: 100_000_000), isBacklogged: true)
        #expect(slow.bytes == QueueLimit.floor && slow.parameters.target > .milliseconds(50))
    }
}
