import TendrilCore
import Testing
import TunnelProtocol

@Suite("The links of a client to instances behind one endpoint")
struct InstanceSetTests {
    private func time(_ seconds: UInt64) -> MonotonicTime { MonotonicTime(nanoseconds: seconds * 1_000_000_000) }

    private func hello(_ run: UInt128, instances: Int = 2) -> Hello {
        Hello(
            session: run,
            lane: 0,
            lanes: 1,
            mtu: 1500,
            features: [.streams],
            addresses: [],
            networks: [],
            software: "test",
            instances: instances
        )
    }

    /// Links of one lane each to the runs 1, 2 and so on, since the first second.
    private func linked(_ instances: Int) -> InstanceSet {
        var set = InstanceSet([Endpoint(host: "balancer", port: 8132)], at: time(1))
        for link in 0..<instances { open(link, of: &set, run: UInt128(link + 1), instances: instances) }
        return set
    }

    private func open(_ link: Int, of set: inout InstanceSet, run: UInt128, instances: Int, generation: UInt64 = 1) {
        let words = hello(run, instances: instances)
        set.opened(0, of: link, generation: generation, words, of: "server", lanes: 1, at: time(1))
    }

    private func lose(_ link: Int, of set: inout InstanceSet, generation: UInt64 = 1, at seconds: UInt64) {
        set.ended(0, of: link, generation: generation, at: time(seconds), random: 0)
    }

    private func objection(
        _ set: InstanceSet,
        _ link: Int,
        run: UInt128,
        at seconds: UInt64
    ) -> InstanceSet.Objection? {
        set.objection(to: hello(run), of: "server", on: link, at: time(seconds))
    }

    @Test("look for the one that was there last, not for the first, where the other has been away for long")
    func blips() {
        var set = linked(2)
        lose(0, of: &set, at: 10)
        #expect(set.wanted(at: time(60)) == [0, 1])
        lose(1, of: &set, at: 60)
        #expect(set.wanted(at: time(60)) == [1] && set.wanted(at: time(600)) == [1])
    }

    @Test("look for all whose streams wait, and know when that is over")
    func allBlip() {
        var set = linked(3)
        #expect(set.lapse(after: time(1)) == nil)
        for link in [2, 0, 1] { lose(link, of: &set, at: 60) }
        #expect(set.wanted(at: time(69)) == [0, 1, 2] && set.lapse(after: time(60)) == time(70))
        // Then there is one instance at least.
        #expect(set.wanted(at: time(70)) == [0] && set.lapse(after: time(70)) == nil)
    }

    @Test("look for the one that went last where others went when instances became fewer")
    func scalesDown() {
        var set = linked(3)
        lose(0, of: &set, at: 10)
        for link in [1, 2] { open(link, of: &set, run: UInt128(link + 1), instances: 2, generation: 2) }
        #expect(set.wanted(at: time(60)) == [1, 2])
        lose(1, of: &set, generation: 2, at: 60)
        #expect(set.wanted(at: time(60)) == [1, 2] && set.wanted(at: time(600)) == [1, 2])
    }

    @Test("leave an instance to the link whose streams wait for it, behind one endpoint and for so long")
    func leavesInstances() {
        var set = linked(2)
        #expect(objection(set, 0, run: 2, at: 50) == .isLinked("server"))
        for link in 0...1 { lose(link, of: &set, at: 60) }
        #expect(objection(set, 0, run: 2, at: 69) == .isAwaited && objection(set, 1, run: 1, at: 69) == .isAwaited)
        #expect(InstanceSet.Objection.isAwaited.isElsewhere)
        // Its own, and one that is new.
        #expect(objection(set, 0, run: 1, at: 69) == nil && objection(set, 0, run: 3, at: 69) == nil)
        #expect(objection(set, 0, run: 2, at: 70) == nil)
        // The way by another endpoint may be the only one that is left.
        let endpoints = ["one", "other"].map { Endpoint(host: $0, port: 8132) }
        var apart = InstanceSet(endpoints, at: time(1))
        open(0, of: &apart, run: 1, instances: 1)
        lose(0, of: &apart, at: 60)
        #expect(objection(apart, 1, run: 1, at: 60) == nil)
    }

    @Test("miss only those that were lost a moment ago")
    func misses() {
        var set = linked(1)
        open(0, of: &set, run: 1, instances: 3, generation: 2)
        #expect(set.wanted(at: time(60)) == [0, 1, 2] && set.missing(at: time(60)) == [])
        open(1, of: &set, run: 2, instances: 3)
        lose(1, of: &set, at: 60)
        #expect(set.missing(at: time(60)) == [1] && set.missing(at: time(74)) == [1])
        #expect(set.missing(at: time(75)) == [] && set.wanted(at: time(75)) == [0, 1, 2])
    }

    @Test("take small segments for a while after a silence, and not when small ones are lost as well")
    func narrows() {
        var set = linked(1)
        #expect(!set[0].isNarrow(at: time(1)))
        set[0].fellSilent(isAlsoNarrow: false, at: time(1))
        #expect(set[0].isNarrow(at: time(600)) && !set[0].isNarrow(at: time(601)))
        set[0].fellSilent(isAlsoNarrow: true, at: time(2))
        #expect(!set[0].isNarrow(at: time(2)))
    }
}

@Suite("The order in which links take streams")
struct LinkRotaTests {
    @Test("is that of their loads, and those that are about to end come last but come")
    func ordersLoads() {
        var rota = LinkRota()
        for _ in 0..<3 {
            #expect(rota.order([0, 1, 2, 3], retiring: [0, 3], loads: [1: 5, 2: 3, 3: 1]) == [2, 1, 0, 3])
        }
        #expect(rota.order([0, 1], retiring: [0, 1], loads: [0: 1]) == [1, 0])
        #expect(rota.order([], retiring: [], loads: [:]) == [])
    }

    @Test("begins with each of equals in its turn")
    func takesTurns() {
        var rota = LinkRota()
        let firsts = (0..<4).map { _ in rota.order([0, 1, 2], retiring: [2], loads: [:]).first }
        #expect(Set(firsts) == [0, 1] && firsts[0] == firsts[2] && firsts[1] == firsts[3])
    }
}
