import TendrilCore
import TunnelProtocol

/// The books of a stream: beside a peer that says anything, or at both ends over lanes that are cut.
enum StreamFuzz {
    static let target = FuzzTarget(name: "stream", seeds: seeds, run: run)

    private static let seeds: [[UInt8]] = [
        [0] + (0..<60).flatMap { [UInt8($0 % 8), UInt8($0), 9, 0, 0, 0] },
        [1] + (0..<120).map { UInt8(truncatingIfNeeded: $0 * 7) },
        [1] + [0, 1, 2, 3, 8, 9, 16, 17, 4, 12, 5, 13, 2, 10, 3, 11, 6, 7],
    ]

    private static func run(_ bytes: [UInt8]) {
        guard let mode = bytes.first else { return }
        if mode & 1 == 0 { HostilePeer.run(bytes.dropFirst()) } else { StreamEnds.run(bytes.dropFirst()) }
    }

    fileprivate static func check(_ machine: StreamMachine) {
        let maximum = Int(StreamMachine.Window.maximum)
        precondition(machine.kept >= 0 && machine.kept <= maximum, "more is kept than a window")
        precondition((0...maximum).contains(machine.appetite) && (0...maximum).contains(machine.sendable))
        precondition(machine.undelivered >= 0 && machine.undelivered <= maximum, "more was taken than granted")
        precondition(machine.acknowledged <= machine.taken + 1 && machine.sent >= machine.acknowledged)
        if machine.isComplete { precondition(machine.kept == 0 && machine.isDrained) }
    }
}

/// One end, and a peer that says anything: it ends the lane, or the books are right.
private enum HostilePeer {
    static func run(_ bytes: ArraySlice<UInt8>) {
        var machine = StreamMachine(limit: 1 << 17, at: MonotonicTime(nanoseconds: 0))
        var rest = bytes
        do throws(ProtocolViolation) {
            while rest.count >= 6 {
                let step = Array(rest.prefix(6))
                rest = rest.dropFirst(6)
                // Small, near a border, or anything.
                let small = UInt64(step[1]) << 8 | UInt64(step[2])
                let offset = [small, small &+ machine.received, small &* 0x0001_0001_0001_0001][Int(step[3] % 3)]
                try act(step[0], offset, Int(step[4]) << 8 | Int(step[5]), &machine)
                StreamFuzz.check(machine)
            }
        } catch {}
    }

    private static func act(
        _ kind: UInt8,
        _ offset: UInt64,
        _ count: Int,
        _ machine: inout StreamMachine
    ) throws(ProtocolViolation) {
        switch kind % 8 {
        case 0: machine.take(min(count * 64, machine.appetite))
        case 1: machine.sent(min(count * 64, machine.sendable))
        case 2: if machine.owesEnd { machine.sentEnd() } else { machine.end() }
        case 3:
            let new = try machine.accept(offset: offset, count: count)
            precondition(new.skip + new.count == count && new.skip >= 0)
            if new.count > 0 { precondition(offset + UInt64(new.skip) == machine.received) }
            machine.receive(new.count)
        case 4: _ = try machine.receiveEnd(at: offset)
        case 5: _ = try machine.credit(received: offset, limit: offset &* UInt64(count))
        case 6: _ = try machine.resume(received: offset, limit: offset &* UInt64(count))
        default:
            let time = MonotonicTime(nanoseconds: offset)
            machine.deliver(
                min(count * 64, machine.undelivered),
                at: time,
                roundTrip: .milliseconds(1),
                mayGrow: count % 2 == 0
            )
            _ = machine.tellCredit()
        }
    }
}

/// Both ends of a stream, and a lane in each direction that is cut together: what happens when says each byte.
private struct StreamEnds {
    enum Message {
        case data(UInt64, Int)
        case window(UInt64, UInt64)
        case end(UInt64)
        case resume(UInt64, UInt64)
    }

    private var machines = [StreamMachine](
        repeating: StreamMachine(limit: StreamMachine.Window.initial, at: MonotonicTime(nanoseconds: 0)),
        count: 2
    )
    private var lanes: [[Message]] = [[], []]
    private var awaitsResume = [false, false]
    private var now: UInt64 = 0

    static func run(_ bytes: ArraySlice<UInt8>) {
        var ends = StreamEnds()
        do throws(ProtocolViolation) {
            for byte in bytes { try ends.act(byte) }
            try ends.finish()
        } catch {
            preconditionFailure("honest ends broke the books: \(error)")
        }
    }

    /// Three bits say what is done, one by whom, and the others how much.
    private mutating func act(_ byte: UInt8) throws(ProtocolViolation) {
        now += 1_000_000
        let end = Int(byte >> 3 & 1)
        let count = 1 + Int(byte >> 4) * 2000
        switch byte & 7 {
        case 0, 1: machines[end].take(min(count, machines[end].appetite))
        case 2: send(end, atMost: count)
        case 3, 4: try receive(end)
        case 5: deliver(end, atMost: count)
        case 6: cut()
        default: if byte >> 4 == 0 { machines[end].end() } else { tell(end) }
        }
        StreamFuzz.check(machines[end])
    }

    private mutating func send(_ end: Int, atMost limit: Int) {
        guard !awaitsResume[end] else { return }
        let count = min(machines[end].sendable, limit)
        if count > 0 {
            lanes[1 - end].append(.data(machines[end].sent, count))
            machines[end].sent(count)
        }
        if machines[end].owesEnd {
            lanes[1 - end].append(.end(machines[end].taken))
            machines[end].sentEnd()
        }
    }

    private mutating func tell(_ end: Int) {
        guard !awaitsResume[end] else { return }
        let credit = machines[end].tellCredit()
        lanes[1 - end].append(.window(credit.received, credit.limit))
    }

    private mutating func receive(_ end: Int) throws(ProtocolViolation) {
        guard !lanes[end].isEmpty else { return }
        switch lanes[end].removeFirst() {
        case .data(let offset, let count):
            let new = try machines[end].accept(offset: offset, count: count)
            precondition(new.count == 0 || offset + UInt64(new.skip) == machines[end].received, "a gap, or bytes twice")
            machines[end].receive(new.count)
        case .window(let received, let limit): _ = try machines[end].credit(received: received, limit: limit)
        case .end(let offset): _ = try machines[end].receiveEnd(at: offset)
        case .resume(let received, let limit):
            awaitsResume[end] = false
            _ = try machines[end].resume(received: received, limit: limit)
        }
    }

    private mutating func deliver(_ end: Int, atMost limit: Int) {
        machines[end].deliver(
            min(machines[end].undelivered, limit),
            at: MonotonicTime(nanoseconds: now),
            roundTrip: .milliseconds(3),
            mayGrow: true
        )
    }

    private mutating func cut() {
        lanes = [[], []]
        for end in 0...1 {
            let credit = machines[end].tellCredit()
            lanes[1 - end].append(.resume(credit.received, credit.limit))
            awaitsResume[end] = true
        }
    }

    /// Left alone, both ends come to their end, with everything.
    private mutating func finish() throws(ProtocolViolation) {
        for end in 0...1 { machines[end].end() }
        for _ in 0..<200 where !machines.allSatisfy(\.isComplete) {
            for end in 0...1 {
                while !lanes[end].isEmpty { try receive(end) }
                deliver(end, atMost: .max)
                if machines[end].owesCredit || machines[end].isCreditDue { tell(end) }
                send(end, atMost: .max)
            }
        }
        for end in 0...1 {
            precondition(machines[end].isComplete, "an end that does not end")
            precondition(machines[end].delivered == machines[1 - end].taken, "bytes were lost or repeated")
        }
    }
}
