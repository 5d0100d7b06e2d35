import ClusterModel
import TendrilCore
import TestSupport
import Testing

@Suite("Membership")
struct MembershipTests {
    private func at(_ seconds: UInt64) -> MonotonicTime { MonotonicTime(nanoseconds: seconds * 1_000_000_000) }

    private func record(_ identity: String, _ version: Int, _ acknowledged: Set<String> = []) -> Membership.Record {
        Membership.Record(identity: identity, version: "\(version)", acknowledged: acknowledged)
    }

    private let keys = (0..<1000).map { "garden/shoot-\($0)" }

    @Test("who is alone owns everything at once")
    func alone() {
        var member = Membership(identity: "a")
        #expect(!member.mayAct(for: "x", at: at(1)))
        member.wrote(begun: at(1), now: at(1))
        #expect(!member.mayAct(for: "x", at: at(1)))
        member.saw([record("a", 1)], begun: at(1), now: at(1))
        #expect(keys.allSatisfy { member.mayAct(for: $0, at: at(2)) })
    }

    @Test("who comes waits until all others have let go, or their time is over")
    func comes() {
        var member = Membership(identity: "a")
        member.wrote(begun: at(100), now: at(100))
        member.saw([record("a", 1), record("b", 7), record("c", 7, ["a"])], begun: at(100), now: at(100))
        #expect(!member.hasBegun && member.others == ["b", "c"])
        var early = member
        early.saw([record("a", 1), record("b", 8, ["a"]), record("c", 7, ["a"])], begun: at(102), now: at(102))
        #expect(early.hasBegun)
        for second in UInt64(101)..<120 {
            member.wrote(begun: at(second), now: at(second))
            member.saw(
                [record("a", 1), record("b", Int(second)), record("c", 7, ["a"])],
                begun: at(second),
                now: at(second)
            )
            #expect(!member.hasBegun)
        }
        member.saw([record("a", 1), record("b", 120), record("c", 7, ["a"])], begun: at(120), now: at(120))
        #expect(member.hasBegun && member.others == ["b"])
    }

    @Test("what was read before the own Lease was there shows nothing")
    func readTooEarly() {
        var member = Membership(identity: "a")
        member.wrote(begun: at(1), now: at(3))
        member.saw([], begun: at(2), now: at(4))
        #expect(!member.hasBegun && !member.isInTime(at(4)))
    }

    @Test("acts only as long as both its Lease and its view are fresh")
    func patience() {
        var member = Membership(identity: "a")
        member.wrote(begun: at(0), now: at(0))
        member.saw([record("a", 1)], begun: at(1), now: at(1))
        #expect(member.mayAct(for: "x", at: at(7)) && !member.mayAct(for: "x", at: at(8)))
        var blind = member
        blind.wrote(begun: at(6), now: at(6))
        #expect(blind.mayAct(for: "x", at: at(8)) && !blind.mayAct(for: "x", at: at(9)))
        var late = member
        late.wrote(begun: at(6), now: at(9))
        late.saw([record("a", 2)], begun: at(9), now: at(9))
        #expect(late.isLost && !late.mayAct(for: "x", at: at(9)))
        member.wasRobbed()
        #expect(!member.mayAct(for: "x", at: at(2)))
    }

    @Test("what was sent in the last moment is given up before others begin")
    func limits() {
        #expect(Membership.patience.value + Membership.requestLimit.value < Membership.duration.value)
    }

    @Test("shares evenly; who comes or goes moves only its own part")
    func shares() {
        func owners(_ names: [String]) -> [String: String] {
            var owners: [String: String] = [:]
            for name in names {
                var member = Membership(identity: name)
                member.wrote(begun: at(0), now: at(0))
                let all = names.map { record($0, 1, Set(names)) }
                member.saw(all, begun: at(0), now: at(0))
                for key in keys where member.isOwner(of: key) {
                    #expect(owners.updateValue(name, forKey: key) == nil)
                }
            }
            return owners
        }
        let (three, four) = (owners(["a", "b", "c"]), owners(["a", "b", "c", "d"]))
        #expect(three.count == keys.count && four.count == keys.count)
        for name in ["a", "b", "c", "d"] { #expect((180...320).contains(four.values.count { $0 == name })) }
        #expect(keys.allSatisfy { four[$0] == "d" || four[$0] == three[$0] })
    }

    @Test(
        "no two ever act for the same key, and in the end each key has its owner",
        arguments: 1...200 as ClosedRange<UInt64>
    )
    func simulation(seed: UInt64) {
        var world = MembershipWorld(seed: seed)
        for _ in 0..<1500 { world.step() }
        world.heal()
        for _ in 0..<600 { world.step() }
        #expect(world.problems.isEmpty, "seed \(seed)")
        #expect(world.ownersNow.allSatisfy { $0 == 1 }, "seed \(seed): \(world.ownersNow)")
    }
}

/// Processes that come, stop for a while, die and resign, before one store of Leases; a step is 100 ms.
private struct MembershipWorld {
    private enum Request {
        case write(acknowledged: Set<String>)
        case list
    }

    private struct Flight {
        let request: Request
        let begun: MonotonicTime
        /// When it reaches the store; `nil` once it has, or where it is lost.
        var lands: Int?
        /// When its answer is there; `nil` where it never comes.
        let answers: Int?
        let givesUp: Int
        var listed: [Membership.Record] = []
    }

    private struct Process {
        var member: Membership
        var flight: Flight?
        var nextAt: Int
        var sleepsUntil = 0
        /// What is let go of for whom, and when that is done.
        var lettingGo: (members: Set<String>, until: Int)?
        var isNextList = false
        var hasJoined = false
    }

    private static let keys = (0..<12).map { "key-\($0)" }
    private var random: SeededGenerator
    private var steps = 0
    private var processes: [Process] = []
    private var leases: [String: Membership.Record] = [:]
    private var version = 0
    private var named = 0
    private var isCalm = false
    private(set) var problems: [String] = []

    init(seed: UInt64) { random = SeededGenerator(seed: seed) }

    private var now: MonotonicTime { MonotonicTime(nanoseconds: UInt64(steps) * 100_000_000) }

    var ownersNow: [Int] {
        Self.keys.map { key in processes.count { $0.member.mayAct(for: key, at: now) } }
    }

    mutating func heal() {
        isCalm = true
        for index in processes.indices { processes[index].sleepsUntil = 0 }
    }

    mutating func step() {
        steps += 1
        if !isCalm { disturb() }
        if processes.isEmpty { come() }
        for index in processes.indices {
            var process = processes[index]
            land(&process)
            if steps >= process.sleepsUntil { act(&process) }
            processes[index] = process
        }
        // What lost its time ends; its Lease stays behind.
        processes.removeAll { $0.member.isLost && steps >= $0.sleepsUntil }
        // One that sleeps does nothing, but may go on in the middle of something at any moment.
        for (key, count) in zip(Self.keys, ownersNow) where count > 1 {
            problems.append("\(count) own \(key) at step \(steps)")
        }
    }

    private mutating func come() {
        named += 1
        processes.append(Process(member: Membership(identity: "p\(named)"), nextAt: steps))
    }

    private mutating func disturb() {
        switch Int.random(in: 0..<400, using: &random) {
        case 0..<3 where processes.count < 5: come()
        case 3 where !processes.isEmpty: processes.remove(at: .random(in: processes.indices, using: &random))
        case 4 where !processes.isEmpty:
            let gone = processes.remove(at: .random(in: processes.indices, using: &random))
            leases[gone.member.identity] = nil
        case 5..<9 where !processes.isEmpty:
            let index = Int.random(in: processes.indices, using: &random)
            processes[index].sleepsUntil = steps + Int.random(in: 10...400, using: &random)
        default: break
        }
    }

    private mutating func land(_ process: inout Process) {
        guard var flight = process.flight, let lands = flight.lands, steps >= lands else { return }
        flight.lands = nil
        switch flight.request {
        case .write(let acknowledged):
            version += 1
            leases[process.member.identity] = Membership.Record(
                identity: process.member.identity,
                version: "\(version)",
                acknowledged: acknowledged
            )
        case .list: flight.listed = Array(leases.values)
        }
        process.flight = flight
    }

    private mutating func act(_ process: inout Process) {
        if let done = process.lettingGo, steps >= done.until {
            process.member.letGo(for: done.members)
            process.lettingGo = nil
        }
        if let flight = process.flight {
            if flight.lands == nil, let answers = flight.answers, steps >= answers {
                answer(flight, &process)
                process.flight = nil
            } else if steps >= flight.givesUp {
                process.flight = nil
            }
            return
        }
        guard steps >= process.nextAt else { return }
        // The Lease was made, and its maker was never told.
        if !process.hasJoined, leases[process.member.identity] != nil { return process.member.wasRobbed() }
        let isSlow = !isCalm && Int.random(in: 0..<12, using: &random) == 0
        let isLost = !isCalm && Int.random(in: 0..<15, using: &random) == 0
        let there = Int.random(in: 0...(isSlow ? 120 : 3), using: &random)
        let back = Int.random(in: 0...(isSlow ? 120 : 3), using: &random)
        let isAnswerLost = !isCalm && Int.random(in: 0..<15, using: &random) == 0
        process.flight = Flight(
            request: process.isNextList ? .list : .write(acknowledged: process.member.acknowledged),
            begun: now,
            lands: isLost ? nil : steps + there,
            answers: isLost || isAnswerLost ? nil : steps + there + back,
            givesUp: steps + Int.random(in: 100...300, using: &random)
        )
        process.nextAt = steps + (process.isNextList ? 20 : 0)
        process.isNextList.toggle()
    }

    private mutating func answer(_ flight: Flight, _ process: inout Process) {
        switch flight.request {
        case .write:
            process.member.wrote(begun: flight.begun, now: now)
            process.hasJoined = true
        case .list:
            let before = process.member.others
            process.member.saw(flight.listed, begun: flight.begun, now: now)
            if process.member.others != before || process.lettingGo == nil,
                process.member.acknowledged != process.member.others
            {
                process.lettingGo = (process.member.others, steps + Int.random(in: 0...30, using: &random))
            }
        }
    }
}
