import ClusterModel
import ShootPlan
import ShootSamples
import TendrilCore
import TestSupport
import Testing

@Suite("Machines that are replaced")
struct PoolReplacementTests {
    /// A Node as its kubelet and its agent write it.
    struct Member: Hashable {
        var name: String
        var machineClass: String?
        var isReady = true
        var isLeaving = false
        var pool = "worker"

        var node: Node {
            get throws {
                var notes: [String: JSONValue] = [:]
                if let machineClass { notes["tendril.dev/machine-class"] = .string(machineClass) }
                if isLeaving { notes["tendril.dev/replacing"] = "true" }
                let object: JSONValue = [
                    "metadata": [
                        "name": .string(name), "labels": ["tendril.dev/pool": .string(pool)],
                        "annotations": .object(notes),
                    ],
                    "spec": ["unschedulable": .bool(isLeaving)],
                    "status": ["conditions": [["type": "Ready", "status": isReady ? "True" : "False"]]],
                ]
                return try object.decoded(as: Node.self)
            }
        }
    }

    private func step(
        _ members: [Member],
        machines: Int? = nil,
        gone: Set<String> = [],
        minimum: Int = 2,
        maximum: Int = 3
    ) throws -> PoolReplacement.Step {
        var pool = try #require(try Samples.shoot().spec.workers.first)
        (pool.minimum, pool.maximum) = (minimum, maximum)
        return PoolReplacement(
            pool,
            wanted: "new",
            machines: machines ?? members.count,
            nodes: try members.map { try $0.node },
            gone: gone
        ).next
    }

    @Test("nothing is done to machines of the class that is wanted, to those that say none, and to other pools'")
    func done() throws {
        #expect(try step([]) == .done)
        #expect(try step([Member(name: "a", machineClass: "new"), Member(name: "b")]) == .done)
        #expect(try step([Member(name: "a", machineClass: "old", pool: "other")]) == .done)
        // Machines that start are somebody else's business then.
        #expect(try step([Member(name: "a", machineClass: "new")], machines: 2) == .done)
    }

    @Test("one more machine comes first, where there is room; it is waited for before anybody leaves")
    func growth() throws {
        let (one, two) = (Member(name: "a", machineClass: "old"), Member(name: "b", machineClass: "old"))
        #expect(try step([one, two]) == .grow(to: 3))
        #expect(try step([one, two], machines: 3) == .wait("1 of 3 machines of the pool worker are not nodes yet"))
        var new = Member(name: "c", machineClass: "new", isReady: false)
        #expect(try step([one, two, new]) == .wait("node c is not ready"))
        new.isReady = true
        #expect(try step([one, two, new]) == .replace(node: "a", shrinks: false))
        #expect(try step([one, two], maximum: 2) == .replace(node: "a", shrinks: false))
    }

    @Test("who has begun to leave goes first, then who is of no use")
    func order() throws {
        let new = Member(name: "n", machineClass: "new")
        let members = [
            Member(name: "a", machineClass: "old"), Member(name: "b", machineClass: "old", isReady: false),
            Member(name: "c", machineClass: "old", isLeaving: true),
        ]
        #expect(try step(members + [new]) == .replace(node: "c", shrinks: false))
        #expect(try step(members.dropLast() + [new]) == .replace(node: "b", shrinks: false))
    }

    @Test("the last one leaves without a successor, unless too few would be left")
    func last() throws {
        let old = Member(name: "a", machineClass: "old")
        let new = ["b", "c"].map { Member(name: $0, machineClass: "new") }
        #expect(try step([old] + new) == .replace(node: "a", shrinks: true))
        #expect(try step([old, new[0]], maximum: 2) == .replace(node: "a", shrinks: false))
    }

    @Test("whose machine is gone is only forgotten; whose class is wanted again gets its pods back")
    func corrections() throws {
        let old = Member(name: "a", machineClass: "old", isReady: false, isLeaving: true)
        let new = Member(name: "b", machineClass: "new", isLeaving: true)
        #expect(try step([old, new], gone: ["a"]) == .forget(node: "a"))
        #expect(try step([new]) == .restore(node: "b"))
    }

    @Test("from any state, with coordinators that change their mind, it ends with machines of one class, never too few")
    func convergence() throws {
        var random = SeededGenerator(seed: 7)
        for round in 0..<400 {
            let minimum = Int.random(in: 1...4, using: &random)
            let maximum = minimum + Int.random(in: 0...2, using: &random)
            var members = (0..<minimum).map {
                Member(name: "m\($0)", machineClass: ["old", "new"].randomElement(using: &random))
            }
            var (desired, next, steps) = (minimum, minimum, 0)
            while true {
                steps += 1
                try #require(steps < 100, "round \(round): no end")
                // Machines come, and become ready, when they like.
                if members.count < desired, Bool.random(using: &random) {
                    // One that started a moment ago may have the old image.
                    let isLate = Int.random(in: 0..<20, using: &random) == 0
                    members.append(Member(name: "m\(next)", machineClass: isLate ? "old" : "new", isReady: false))
                    next += 1
                }
                for index in members.indices where !members[index].isReady && Bool.random(using: &random) {
                    members[index].isReady = true
                }
                let step = try step(members, machines: desired, minimum: minimum, maximum: maximum)
                if step == .done { break }
                switch step {
                case .done, .wait: break
                case .restore(let name):
                    members = members.map {
                        var it = $0; if it.name == name { it.isLeaving = false }; return it
                    }
                case .grow(let count):
                    #expect(count == desired + 1 && count <= maximum)
                    desired = count
                case .forget(let name): members.removeAll { $0.name == name }
                case .replace(let name, let shrinks):
                    // Whoever is stopped half-way looks again.
                    if Int.random(in: 0..<4, using: &random) == 0 {
                        members = members.map {
                            var it = $0; if it.name == name { it.isLeaving = true }; return it
                        }
                        continue
                    }
                    let serving = members.count { $0.isReady && $0.name != name }
                    #expect(serving >= (maximum > minimum ? minimum : minimum - 1), "round \(round)")
                    members.removeAll { $0.name == name }
                    if shrinks { desired -= 1 }
                }
            }
            #expect(desired >= minimum && desired <= maximum)
            #expect(members.allSatisfy { $0.machineClass == "new" && !$0.isLeaving })
        }
    }
}
