import TendrilCore
import TestSupport
import Testing
import TunnelProtocol

@Suite("A lane's life")
struct LaneMachineTests {
    private func time(_ milliseconds: UInt64) -> MonotonicTime {
        MonotonicTime(nanoseconds: milliseconds * 1_000_000 + 1)
    }

    @Test("has a heartbeat a second")
    func probes() {
        var machine = LaneMachine(at: time(0))
        var probes: [UInt64] = []
        for moment in stride(from: 0 as UInt64, through: 5000, by: 100) {
            machine.heard(at: time(moment))
            while let output = machine.advance(to: time(moment), isQueueEmpty: true) {
                if case .send(.heartbeat, _) = output { probes.append(moment) }
            }
        }
        #expect(probes == [0, 1000, 2000, 3000, 4000, 5000])
    }

    @Test("ends within 3 s of the last byte")
    func endsInSilence() {
        var machine = LaneMachine(at: time(0))
        machine.heard(at: time(700))
        var end: UInt64?
        for moment in stride(from: 700 as UInt64, through: 5000, by: 100) where end == nil {
            while let output = machine.advance(to: time(moment), isQueueEmpty: true) {
                if output == .finish(CloseNotice(.silent)) { end = moment }
            }
        }
        #expect(end.map { $0 - 700 <= 3000 } == true)
    }

    private func payload(_ heartbeat: Heartbeat) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 16)
        var span = bytes.mutableSpan
        heartbeat.write(to: &span)
        return bytes
    }

    /// The heartbeat that is due at a moment.
    private func heartbeat(of machine: inout LaneMachine, at milliseconds: UInt64) throws -> Heartbeat {
        machine.heard(at: time(milliseconds))
        let output = machine.advance(to: time(milliseconds), isQueueEmpty: true)
        guard case .send(.heartbeat, let heartbeat?) = output else { throw Missing() }
        return heartbeat
    }

    private struct Missing: Error {}

    @Test("measures the round trip by the first echo of what was sent lately, and by nothing else")
    func measures() throws {
        var machine = LaneMachine(at: time(0))
        let first = try heartbeat(of: &machine, at: 0)
        let second = try heartbeat(of: &machine, at: 1000)
        // A moment of the peer's own choice, a number that was not sent, both of different heartbeats.
        for forged in [
            Heartbeat(sequence: second.sequence, sentAt: time(1029)),
            Heartbeat(sequence: second.sequence, sentAt: time(2000)),
            Heartbeat(sequence: second.sequence, sentAt: first.sentAt),
            Heartbeat(sequence: second.sequence + 1, sentAt: second.sentAt),
            Heartbeat(sequence: second.sequence + 8, sentAt: second.sentAt),
            Heartbeat(sequence: 0, sentAt: time(0)),
        ] {
            let event = try machine.receive(.echo, payload(forged).span, at: time(1030))
            #expect(event == .none, "\(forged)")
        }
        #expect(machine.lastEcho == nil)
        let event = try machine.receive(.echo, payload(second).span, at: time(1030))
        let again = try machine.receive(.echo, payload(second).span, at: time(1031))
        #expect(event == .roundTrip(.milliseconds(30)) && again == .none)
        #expect(machine.lastEcho == time(1030))
        // Late is not wrong, as long as it is remembered.
        let late = try machine.receive(.echo, payload(first).span, at: time(1040))
        #expect(late == .roundTrip(.milliseconds(1040)))
        let third = try heartbeat(of: &machine, at: 2000)
        for second in 3..<11 as Range<UInt64> { _ = try heartbeat(of: &machine, at: second * 1000) }
        let forgotten = try machine.receive(.echo, payload(third).span, at: time(10_001))
        #expect(forgotten == .none)
    }

    @Test("owes one echo however many heartbeats come")
    func owesOneEcho() throws {
        var machine = LaneMachine(at: time(0))
        _ = machine.advance(to: time(0), isQueueEmpty: true)
        for _ in 0..<1000 { _ = try machine.receive(.heartbeat, [UInt8](repeating: 1, count: 16).span, at: time(1)) }
        var echoes = 0
        while let output = machine.advance(to: time(1), isQueueEmpty: true) {
            if case .send(.echo, _) = output { echoes += 1 }
        }
        #expect(echoes == 1)
    }

    @Test("ends when both sides have drained, and gives its peer time to have the successor")
    func drains() throws {
        var (old, peer) = (LaneMachine(at: time(0)), LaneMachine(at: time(0)))
        _ = old.advance(to: time(0), isQueueEmpty: true)
        _ = peer.advance(to: time(0), isQueueEmpty: true)
        old.drain(at: time(10))
        #expect(!old.acceptsPackets)
        let waiting = old.advance(to: time(10), isQueueEmpty: false)
        #expect(waiting == nil)
        let said = old.advance(to: time(11), isQueueEmpty: true)
        #expect(said == .send(.drain, nil))
        _ = try peer.receive(.drain, [UInt8]().span, at: time(12))
        #expect(peer.acceptsPackets)
        let early = peer.advance(to: time(13), isQueueEmpty: true)
        #expect(early == nil)
        peer.drain(at: time(50))
        let answer = peer.advance(to: time(50), isQueueEmpty: true)
        let finish = peer.advance(to: time(50), isQueueEmpty: true)
        #expect(answer == .send(.drain, nil) && finish == .finish(nil))
        _ = try old.receive(.drain, [UInt8]().span, at: time(51))
        let end = old.advance(to: time(51), isQueueEmpty: true)
        #expect(end == .finish(nil))
    }

    @Test("drains by itself when the successor does not come, and not for ever")
    func drainsAlone() throws {
        var machine = LaneMachine(at: time(0))
        _ = try machine.receive(.drain, [UInt8]().span, at: time(0))
        machine.heard(at: time(2100))
        var outputs: [LaneMachine.Output] = []
        while let output = machine.advance(to: time(2100), isQueueEmpty: true) { outputs.append(output) }
        #expect(outputs.first == .send(.drain, nil) && outputs.last == .finish(nil))
        var stuck = LaneMachine(at: time(0))
        stuck.drain(at: time(0))
        stuck.heard(at: time(9900))
        #expect(stuck.overdue(at: time(10_100)) == CloseNotice(.replaced))
    }
}

@Suite("A client's link")
struct LinkMachineTests {
    private func time(_ milliseconds: UInt64) -> MonotonicTime { MonotonicTime(nanoseconds: milliseconds * 1_000_000) }

    @Test("dials one lane first, then as many as both sides want")
    func opensLanes() {
        var machine = LinkMachine(at: time(0))
        let first = machine.due(at: time(0))
        let again = machine.due(at: time(1))
        #expect(first == [0] && again == [])
        machine.opened(0, generation: 1, lanes: 3, at: time(2))
        let rest = machine.due(at: time(2))
        #expect(rest == [1, 2] && machine.liveCount == 1)
    }

    @Test("waits longer after each failure, from 25 ms to 7.5 s")
    func backsOff() {
        var backoff = DialBackoff()
        var random = SeededGenerator(seed: 1)
        var waits: [UInt64] = []
        for _ in 0..<20 { waits.append(backoff.next(random: random.next()).milliseconds) }
        #expect((25...75).contains(waits[0]) && (50...150).contains(waits[1]) && (2500...7500).contains(waits[19]))
    }

    @Test("dials at once when a lane that held ends, and ignores an outdated end")
    func redials() {
        var machine = LinkMachine(at: time(0))
        _ = machine.due(at: time(0))
        machine.opened(0, generation: 1, lanes: 1, at: time(0))
        machine.renew(0, at: time(2000))
        let renewal = machine.due(at: time(2000))
        #expect(renewal == [0] && machine.liveCount == 1)
        machine.opened(0, generation: 2, lanes: 1, at: time(2010))
        machine.ended(0, generation: 1, at: time(2020), random: 0)
        #expect(machine.liveCount == 1 && machine.deadline == nil)
        machine.ended(0, generation: 2, at: time(5000), random: 0)
        let redial = machine.due(at: time(5000))
        #expect(redial == [0] && machine.liveCount == 0)
    }

    @Test("dials a lane that was lost once a second at least while streams wait for it, and then more and more rarely")
    func isEager() {
        var machine = LinkMachine(at: time(0))
        _ = machine.due(at: time(0))
        machine.opened(0, generation: 1, lanes: 1, at: time(0))
        machine.ended(0, generation: 1, at: time(5000), random: 0)
        var attempts: [UInt64] = []
        while let next = machine.deadline, next < time(60_000) {
            _ = machine.due(at: next)
            attempts.append(next.since(time(5000)).milliseconds)
            machine.failed(0, at: next, random: .max)
        }
        let gaps = zip(attempts, attempts.dropFirst()).map { (at: $0, gap: $1 - $0) }
        #expect(gaps.allSatisfy { $0.at >= 10_000 || $0.gap < 1000 } && gaps.last?.gap ?? 0 > 2500, "\(gaps)")
    }

    @Test("looks for another instance without a pause for half a minute, and then as rarely as for any other")
    func looksElsewhere() {
        var machine = LinkMachine(at: time(0))
        func attempts(from start: UInt64, to end: UInt64) -> [UInt64] {
            var attempts: [UInt64] = []
            while let next = machine.deadline, next < time(end) {
                _ = machine.due(at: next)
                attempts.append(next.since(time(0)).milliseconds)
                machine.failed(0, at: next, random: .max, wasElsewhere: true)
            }
            return attempts.filter { $0 >= start }
        }
        #expect(attempts(from: 0, to: 25_000).count >= 20)
        let later = attempts(from: 40_000, to: 640_000)
        #expect((80...130).contains(later.count), "\(later.count)")
        // One that was found and is lost again is looked for as at first.
        machine.opened(0, generation: 1, lanes: 1, at: time(640_000))
        machine.ended(0, generation: 1, at: time(650_000), random: 0)
        #expect(attempts(from: 650_000, to: 675_000).count >= 20)
    }

    @Test("dials again what was asked to be renewed while it was being dialled")
    func renewsWhileDialling() {
        var machine = LinkMachine(at: time(0))
        _ = machine.due(at: time(0))
        machine.renew(0, at: time(5))
        machine.opened(0, generation: 1, lanes: 1, at: time(10))
        let renewal = machine.due(at: time(10))
        #expect(renewal == [0])
    }
}

@Suite("The round trip by which paths are compared")
struct SteadyRoundTripTests {
    private func steady(after milliseconds: [UInt64]) -> UInt64? {
        var trip = SteadyRoundTrip()
        for value in milliseconds { trip.note(.milliseconds(value)) }
        return trip.value.map { $0.milliseconds }
    }

    @Test("is the first one at first, and none before")
    func first() {
        #expect(steady(after: []) == nil)
        #expect(steady(after: [20]) == 20)
    }

    @Test("does not follow what trembles, nor a single delay")
    func trembles() {
        #expect(steady(after: [20] + (0..<200).map { $0 % 2 == 0 ? 17 : 25 }) == 20)
        #expect(steady(after: [20, 20, 55, 20, 20]) == 20)
        #expect(steady(after: [1] + (0..<200).map { $0 % 2 == 0 ? 1 : 2 }) == 1)
    }

    @Test("follows a path that has become another within half a minute, and back")
    func follows() throws {
        let slow = try #require(steady(after: [20] + Array(repeating: 40, count: 30)))
        #expect((30...40).contains(slow))
        let quick = try #require(
            steady(after: [20] + Array(repeating: 40, count: 30) + Array(repeating: 20, count: 30))
        )
        #expect((20...25).contains(quick))
    }

    @Test("changes an order once, where by every measurement it would change again and again")
    func order() {
        var path = SteadyRoundTrip()
        var changes = 0
        var wasNearer = true
        // Another path takes 22 ms; this one slowly becomes longer, and trembles by a third.
        for round in 0..<600 as Range<UInt64> {
            path.note(.milliseconds(18 + round / 50 + (round % 2 == 1 ? 7 : 0)))
            let isNearer = (path.value?.value ?? 0) < 22_000_000
            if isNearer != wasNearer { changes += 1 }
            wasNearer = isNearer
        }
        #expect(changes == 1)
    }
}
