import ClusterModel
import ShootPlan
import TendrilCore
import Testing

@Suite("Machines that do not become Nodes")
struct PoolRepairTests {
    private static let patience = PoolRepair.patience

    /// A pool, as it is seen again and again.
    private struct Pool {
        var repair = PoolRepair()
        var generation = 1

        mutating func see(_ machines: [String: UInt64?], isWhole: Bool = false, at now: UInt64) -> PoolRepair.Step {
            repair.next(machines, isWhole: isWhole, generation: generation, at: now)
        }
    }

    @Test("one that says something of itself has its time from then on, one that says nothing since it was seen")
    func patience() {
        var pool = Pool()
        #expect(pool.see(["a": 1000, "b": nil], at: 1500) == .none)
        #expect(pool.see(["a": 1000, "b": nil], at: 1000 + Self.patience - 1) == .none)
        #expect(
            pool.see(["a": 1000, "b": nil], at: 1000 + Self.patience)
                == .end(machine: "a", after: Self.patience)
        )
        var silent = Pool()
        #expect(silent.see(["b": nil], at: 1500) == .none)
        #expect(silent.see(["b": nil], at: 1500 + Self.patience - 1) == .none)
        #expect(
            silent.see(["b": nil], at: 1500 + Self.patience) == .end(machine: "b", after: Self.patience)
        )
    }

    @Test("one whose clock is ahead is not waited for any longer")
    func future() {
        var pool = Pool()
        #expect(pool.see(["a": 9_000_000], at: 1000) == .none)
        #expect(pool.see(["a": 9_000_000], at: 1000 + Self.patience) == .end(machine: "a", after: Self.patience))
    }

    @Test("one at a time, the next after twice the time")
    func oneAtATime() {
        var pool = Pool()
        _ = pool.see(["a": 1000, "b": 1000], at: 1000)
        let first = 1000 + Self.patience
        #expect(pool.see(["a": 1000, "b": 1000], at: first) == .end(machine: "a", after: Self.patience))
        #expect(pool.see(["b": 1000, "c": 1000 + first], at: first + 1) == .none)
        #expect(pool.see(["b": 1000, "c": 1000 + first], at: first + 2 * Self.patience - 1) == .none)
        #expect(
            pool.see(["b": 1000, "c": 1000 + first], at: first + 2 * Self.patience)
                == .end(machine: "b", after: 3 * Self.patience)
        )
    }

    /// Ends machine after machine; how many, and what was said.
    private func run(_ pool: inout Pool, from start: UInt64, for seconds: UInt64) -> (ended: Int, givenUp: Int) {
        var (ended, givenUp, since) = (0, 0, start)
        for now in stride(from: start, through: start + seconds, by: 60) {
            switch pool.see(["m\(ended)": since], at: now) {
            case .none: break
            case .end: (ended, since) = (ended + 1, now)
            case .giveUp: givenUp += 1
            }
        }
        return (ended, givenUp)
    }

    @Test("not for ever, and that is said once; another wish of the owner begins anew, and a pool that became whole")
    func end() {
        var pool = Pool()
        let month: UInt64 = 30 * 86400
        #expect(run(&pool, from: 1000, for: month) == (PoolRepair.most, 1))
        #expect(run(&pool, from: 1000 + month, for: month) == (0, 0))
        pool.generation = 2
        #expect(run(&pool, from: 1000 + 2 * month, for: month) == (PoolRepair.most, 1))
        #expect(pool.see([:], isWhole: true, at: 1000 + 3 * month) == .none && pool.repair.isIdle)
        #expect(run(&pool, from: 1000 + 3 * month, for: month) == (PoolRepair.most, 1))
    }

    @Test("a pool without machines that wait is not whole by that: the next one may not have come yet")
    func betweenTwo() {
        var pool = Pool()
        _ = pool.see(["a": 0], at: Self.patience)
        #expect(pool.repair.ended == 1)
        #expect(pool.see([:], at: Self.patience + 1) == .none && pool.repair.ended == 1)
    }

    @Test("a machine that was a Node is nobody's to end, and one that is a Node still less")
    func unborn() {
        func bootstrap(_ phase: BootstrapPhase?) -> NodeBootstrap {
            var bootstrap = NodeBootstrap(name: "a", pool: "worker")
            bootstrap.status = phase.map { .init(phase: $0) }
            return bootstrap
        }
        #expect(bootstrap(.trust).isUnborn(beside: ["b"]) && bootstrap(nil).isUnborn(beside: []))
        #expect(!bootstrap(.done).isUnborn(beside: []) && !bootstrap(.trust).isUnborn(beside: ["a"]))
    }
}
