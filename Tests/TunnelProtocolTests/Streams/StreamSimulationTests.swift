import TendrilCore
import TestSupport
import Testing
import TunnelProtocol

/// Two ends of a stream and lanes that are cut at any moment, against the plainest model: the bytes that went in.
@Suite("A stream over lanes that are cut")
struct StreamSimulationTests {
    @Test("loses nothing, repeats nothing and ends on both sides", arguments: 1...600 as ClosedRange<UInt64>)
    func survives(seed: UInt64) throws {
        var world = StreamWorld(seed: seed)
        for _ in 0..<2000 { try world.step() }
        world.isCalm = true
        for _ in 0..<400 { try world.step() }
        for end in 0...1 {
            #expect(world.ends[end].output == world.ends[1 - end].input, "seed \(seed): \(end)")
            #expect(world.ends[end].sawEnd, "seed \(seed): \(end) saw no end")
            #expect(world.ends[end].isOver, "seed \(seed): \(end) keeps the stream")
            #expect(world.ends[end].machine.kept == 0, "seed \(seed): \(end) keeps bytes")
        }
        #expect(world.cuts > 0)
    }

    @Test("keeps no more than a window, however slow the reader is")
    func isBounded() throws {
        var world = StreamWorld(seed: 7)
        world.isCalm = true
        world.readerIsStalled = true
        world.appetite = 1 << 20
        for _ in 0..<4000 { try world.step() }
        for end in world.ends { #expect(end.machine.kept + end.inbox.count <= 2 << 20) }
        for end in world.ends { #expect(end.inbox.count <= Int(StreamMachine.Window.initial)) }
    }

    @Test("A reader that keeps up lets the window grow, and no further than its bound")
    func grows() throws {
        var machine = StreamMachine(limit: StreamMachine.Window.initial, at: time(0))
        var limit: UInt64 = 0
        for round in 1...100 {
            let count = 128 * 1024
            machine.receive(count)
            machine.deliver(count, at: time(UInt64(round)), roundTrip: .milliseconds(20), mayGrow: true)
            limit = machine.tellCredit().limit - machine.delivered
        }
        #expect(limit == StreamMachine.Window.maximum)
    }

    @Test("A window that is not what holds the sender up stays as it is, so that nothing stands in queues")
    func staysSmall() {
        var machine = StreamMachine(limit: StreamMachine.Window.initial, at: time(0))
        for round in 1...100 {
            machine.receive(64 * 1024)
            machine.deliver(64 * 1024, at: time(UInt64(round)), roundTrip: Nanoseconds(100_000), mayGrow: true)
        }
        #expect(machine.tellCredit().limit - machine.delivered == StreamMachine.Window.initial)
    }

    @Test("The shortest round trip is remembered for a minute at least, and forgotten after two")
    func floor() {
        var floor = RoundTripFloor(at: time(0))
        #expect(floor.value == nil)
        floor.note(.milliseconds(2), at: time(1))
        floor.note(.milliseconds(9), at: time(2))
        #expect(floor.value == .milliseconds(2))
        floor.note(.milliseconds(9), at: time(61_000))
        #expect(floor.value == .milliseconds(2))
        floor.note(.milliseconds(9), at: time(122_000))
        #expect(floor.value == .milliseconds(9))
    }

    @Test("Peers that break the books are found out")
    func violations() throws {
        var machine = StreamMachine(limit: 100, at: time(0))
        machine.take(50)
        machine.sent(50)
        #expect(throws: ProtocolViolation.overrun) { try machine.credit(received: 51, limit: 200) }
        #expect(throws: ProtocolViolation.overrun) { try machine.accept(offset: 1, count: 1) }
        #expect(throws: ProtocolViolation.overrun) { try machine.accept(offset: .max, count: 2) }
        #expect(throws: ProtocolViolation.overrun) {
            try machine.accept(offset: 0, count: Int(StreamMachine.Window.initial) + 1)
        }
        machine.receive(10)
        #expect(throws: ProtocolViolation.overrun) { try machine.receiveEnd(at: 11) }
        _ = try machine.receiveEnd(at: 10)
        #expect(throws: ProtocolViolation.overrun) { try machine.accept(offset: 10, count: 1) }
        #expect(throws: ProtocolViolation.overrun) { try machine.receiveEnd(at: 9) }
        // What comes twice is no news.
        #expect(try machine.accept(offset: 3, count: 7) == (7, 0))
        #expect(try !machine.receiveEnd(at: 10))
    }
}

private func time(_ milliseconds: UInt64) -> MonotonicTime { MonotonicTime(nanoseconds: milliseconds * 1_000_000) }

private struct StreamWorld {
    enum Message {
        case data(UInt64, [UInt8])
        case window(UInt64, UInt64)
        case end(UInt64)
        case resume(UInt64, UInt64, isKnown: Bool)
    }

    struct End {
        var machine = StreamMachine(limit: StreamMachine.Window.initial, at: time(0))
        var input: [UInt8] = []
        var outbox: [UInt8] = []
        var inbox: [UInt8] = []
        var output: [UInt8] = []
        var sawEnd = false
        var awaitsResume = false
        var isOver = false
    }

    var ends = [End(), End()]
    var isCalm = false
    var readerIsStalled = false
    var appetite = 3000
    private(set) var cuts = 0
    private var random: SeededGenerator
    private var wires: [[Message]] = [[], []]
    private var now: UInt64 = 0

    init(seed: UInt64) { random = SeededGenerator(seed: seed) }

    mutating func step() throws {
        now += 1
        if !isCalm, Int.random(in: 0..<40, using: &random) == 0 { cut() }
        for end in 0...1 {
            guard !ends[end].isOver else { continue }
            try feed(end)
            send(end)
            try receive(end)
            deliver(end)
            if ends[end].machine.isComplete { ends[end].isOver = true }
        }
    }

    /// Everything under way is lost; both sides say what they have.
    private mutating func cut() {
        cuts += 1
        wires = [[], []]
        for end in 0...1 {
            let credit = ends[end].machine.tellCredit()
            wires[1 - end].append(.resume(credit.received, credit.limit, isKnown: !ends[end].isOver))
            ends[end].awaitsResume = true
        }
    }

    private mutating func feed(_ end: Int) throws {
        let room = min(ends[end].machine.appetite, appetite)
        if ends[end].input.count > 400_000 || (isCalm && !readerIsStalled) {
            ends[end].machine.end()
        } else if room > 0 {
            let count = Int.random(in: 1...room, using: &random)
            let bytes = (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &random) }
            ends[end].input += bytes
            ends[end].outbox += bytes
            ends[end].machine.take(count)
        }
    }

    private mutating func send(_ end: Int) {
        guard !ends[end].awaitsResume else { return }
        let leisure = ends[end].machine.owesCredit && now % 10 == 0
        if ends[end].machine.isCreditDue || leisure {
            let credit = ends[end].machine.tellCredit()
            wires[1 - end].append(.window(credit.received, credit.limit))
        }
        let count = min(ends[end].machine.sendable, Int.random(in: 1...5000, using: &random))
        if count > 0 {
            let start = Int(ends[end].machine.sent - ends[end].machine.acknowledged)
            let bytes = Array(ends[end].outbox[start..<(start + count)])
            wires[1 - end].append(.data(ends[end].machine.sent, bytes))
            ends[end].machine.sent(count)
        }
        if ends[end].machine.owesEnd {
            wires[1 - end].append(.end(ends[end].machine.taken))
            ends[end].machine.sentEnd()
        }
    }

    private mutating func receive(_ end: Int) throws {
        for _ in 0..<Int.random(in: 0...3, using: &random) where !wires[end].isEmpty {
            switch wires[end].removeFirst() {
            case .data(let offset, let bytes):
                let new = try ends[end].machine.accept(offset: offset, count: bytes.count)
                ends[end].inbox += bytes[new.skip...]
                ends[end].machine.receive(new.count)
            case .window(let received, let limit): try credit(end, received, limit)
            case .end(let offset): _ = try ends[end].machine.receiveEnd(at: offset)
            case .resume(let received, let limit, let isKnown):
                ends[end].awaitsResume = false
                let freed =
                    try isKnown
                    ? ends[end].machine.resume(received: received, limit: limit) : ends[end].machine.forgotten()
                ends[end].outbox.removeFirst(try #require(freed, "the peer forgot a stream that was not over"))
            }
        }
    }

    private mutating func credit(_ end: Int, _ received: UInt64, _ limit: UInt64) throws {
        ends[end].outbox.removeFirst(try ends[end].machine.credit(received: received, limit: limit))
    }

    private mutating func deliver(_ end: Int) {
        guard !readerIsStalled else { return }
        let count = min(ends[end].inbox.count, isCalm ? .max : Int.random(in: 0...6000, using: &random))
        ends[end].output += ends[end].inbox.prefix(count)
        ends[end].inbox.removeFirst(count)
        ends[end].machine.deliver(count, at: time(now), roundTrip: .milliseconds(3), mayGrow: true)
        if ends[end].machine.isDrained { ends[end].sawEnd = true }
    }
}
