/// Decides which tasks of a graph may run now; performs nothing itself.
package struct FlowMachine: Sendable {
    private enum State: Hashable {
        case waiting
        case running
        case done
        case failed
    }

    private let graph: TaskGraph
    private let limit: Int
    private var states: [String: State]

    /// Begins with nothing done.
    ///
    /// - Parameters:
    ///   - graph: all that there is to do.
    ///   - limit: how many tasks may run at the same time; at least 1.
    package init(_ graph: TaskGraph, limit: Int = 4) {
        (self.graph, self.limit) = (graph, max(limit, 1))
        states = Dictionary(uniqueKeysWithValues: graph.items.map { ($0.name, .waiting) })
    }

    /// The tasks to start now, in the order of their declaration; they count as running from here on.
    package mutating func start() -> [String] {
        var started: [String] = []
        for item in graph.items where states[item.name] == .waiting {
            guard running.count < limit else { break }
            guard item.after.allSatisfy({ states[$0] == .done }) else { continue }
            states[item.name] = .running
            started.append(item.name)
        }
        return started
    }

    /// A running task is done.
    package mutating func finish(_ name: String) { leave(name, .done) }

    /// A running task has failed: what needs it will not run.
    package mutating func fail(_ name: String) { leave(name, .failed) }

    private mutating func leave(_ name: String, _ state: State) {
        guard states[name] == .running else { return }
        states[name] = state
    }

    /// The tasks that run now.
    package var running: [String] { graph.items.map(\.name).filter { states[$0] == .running } }

    /// Whether every task is done.
    package var isDone: Bool { states.values.allSatisfy { $0 == .done } }

    /// How many of a hundred tasks are done.
    package var progress: Int {
        graph.items.isEmpty ? 100 : states.values.count { $0 == .done } * 100 / graph.items.count
    }
}
