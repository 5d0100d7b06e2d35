import Testing

/// All of them in memory, by the rules of both sides: every event comes when a seed says, and every run can be repeated.
@Suite("Clients and several instances behind balancers")
struct InstanceTests {
    @Test(
        "have one link for each pair after every fault and restart, whoever a balancer leads them to",
        arguments: 1...40 as ClosedRange<UInt64>
    )
    func converges(seed: UInt64) {
        var world = InstanceWorld(seed: seed)
        for _ in 0..<600 { world.step() }
        world.heal()
        world.converge()
        #expect(world.problems.isEmpty, "seed \(seed): \(world.problems)")
        #expect(world.discord == nil && world.isExact, "seed \(seed)")
    }

    @Test("come to as many links as there are when instances become fewer", arguments: 1...20 as ClosedRange<UInt64>)
    func shrinks(seed: UInt64) {
        var world = InstanceWorld(seed: seed)
        world.heal()
        world.converge()
        world.shrink()
        world.converge()
        // Those that have just gone are looked for while streams may wait for them.
        for _ in 0..<120 { world.step() }
        #expect(world.problems.isEmpty, "seed \(seed): \(world.problems)")
        #expect(world.discord == nil && world.isExact, "seed \(seed)")
    }

    @Test(
        "lead no link to another's instance where all connections break at once, also with an instance gone for long",
        arguments: 1...20 as ClosedRange<UInt64>,
        [false, true]
    )
    func keepsApart(seed: UInt64, isOneGone: Bool) {
        var world = InstanceWorld(seed: seed)
        world.heal()
        world.converge()
        if isOneGone { world.stop(0) }
        for _ in 0..<200 { world.step() }
        let before = world.runs
        world.blip()
        var areBack = false
        // For so long streams wait.
        for _ in 0..<99 {
            world.step()
            let strangers = zip(world.runs.joined(), before.joined()).count { $0 != nil && $0 != $1 }
            #expect(strangers == 0, "seed \(seed)")
            areBack = areBack || world.runs == before
        }
        // One behind each balancer is met at once.
        if world.servers.allSatisfy({ $0.instances == 1 }) { #expect(areBack, "seed \(seed)") }
        world.converge()
        #expect(world.problems.isEmpty && world.discord == nil, "seed \(seed): \(world.problems)")
    }

    @Test("keep their lanes while they look for an instance that is gone", arguments: 1...20 as ClosedRange<UInt64>)
    func keepsLanes(seed: UInt64) {
        var world = InstanceWorld(seed: seed)
        world.heal()
        world.converge()
        world.stop(0)
        world.converge()
        #expect(world.discord == nil, "seed \(seed)")
        for _ in 0..<50 { world.step() }
        let (ends, probes) = (world.ends, world.probes)
        for _ in 0..<1200 { world.step() }
        #expect(world.ends == ends && world.discord == nil, "seed \(seed): \(world.ends - ends) connections ended")
        // Where it was alone nobody else is there to be led to.
        #expect(world.servers[0].instances == 1 || world.probes > probes, "seed \(seed): nobody looks for it")
    }
}
