import ShootPlan
import TestSupport
import Testing

@Suite("Flow machine")
struct FlowMachineTests {
    @Test("starts what needs nothing, and the rest once what it needs is done")
    func startsInOrder() {
        var machine = FlowMachine(TaskGraph([.init("a"), .init("b", after: ["a"]), .init("c")]))
        #expect(machine.start() == ["a", "c"])
        #expect(machine.start() == [])
        machine.finish("a")
        #expect(machine.start() == ["b"])
        machine.finish("b")
        #expect(!machine.isDone)
        machine.finish("c")
        #expect(machine.isDone && machine.progress == 100)
    }

    @Test("never starts what needs a task that failed")
    func stopsBehindFailure() {
        var machine = FlowMachine(TaskGraph([.init("a"), .init("b", after: ["a"]), .init("c", after: ["b"])]))
        _ = machine.start()
        machine.fail("a")
        #expect(machine.start() == [] && machine.running == [] && !machine.isDone && machine.progress == 0)
    }

    @Test("takes no news of a task that does not run")
    func ignoresStrangers() {
        var machine = FlowMachine(TaskGraph([.init("a"), .init("b", after: ["a"])]))
        machine.finish("b")
        machine.finish("nobody")
        #expect(machine.start() == ["a"] && machine.progress == 0)
    }

    /// A graph in which each task needs some of those before it.
    private func graph(_ count: Int, using generator: inout SeededGenerator) -> TaskGraph {
        TaskGraph(
            (0..<count).map { index in
                .init(
                    "t\(index)",
                    after: (0..<index).filter { _ in Int.random(in: 0..<4, using: &generator) == 0 }.map { "t\($0)" }
                )
            }
        )
    }

    @Test("runs every graph to its end, in any order of ends, within the limit", arguments: 0..<300)
    func runsEveryGraph(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let graph = graph(Int.random(in: 0...20, using: &generator), using: &generator)
        let limit = Int.random(in: 1...5, using: &generator)
        let failing = Set(graph.items.map(\.name).filter { _ in Int.random(in: 0..<10, using: &generator) == 0 })
        var machine = FlowMachine(graph, limit: limit)
        var running: [String] = []
        var done: Set<String> = []
        var started: Set<String> = []
        while true {
            for name in machine.start() {
                #expect(started.insert(name).inserted)
                #expect(graph.items.first { $0.name == name }?.after.allSatisfy(done.contains) == true)
                running.append(name)
            }
            #expect(running.count <= limit)
            guard !running.isEmpty else { break }
            let name = running.remove(at: Int.random(in: 0..<running.count, using: &generator))
            if failing.contains(name) {
                machine.fail(name)
            } else {
                machine.finish(name)
                done.insert(name)
            }
        }
        // What is not done failed, or needs what is not done.
        for item in graph.items where !done.contains(item.name) {
            #expect(failing.contains(item.name) || !item.after.allSatisfy(done.contains))
        }
        #expect(machine.isDone == (done.count == graph.items.count))
    }
}
