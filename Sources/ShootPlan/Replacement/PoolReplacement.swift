package import ClusterModel

/// What is next in replacing the machines of one pool whose class is not wanted any more.
///
/// Everything follows from what can be seen of the pool, so whoever was stopped goes on by looking again. There are
/// never fewer machines than the pool's minimum, unless its maximum allows no more than that.
package struct PoolReplacement: Sendable {
    /// One step.
    package enum Step: Hashable, Sendable {
        /// Nothing is left to be replaced.
        case done
        /// Something comes by itself; why, for people.
        case wait(String)
        /// Pods may run there again, for its class is wanted again.
        case restore(node: String)
        /// The pool is to have this many machines.
        case grow(to: Int)
        /// The machine is gone; its Node goes too.
        case forget(node: String)
        /// The pods of this node move elsewhere, then its machine ends; `shrinks` is whether none comes in its place.
        case replace(node: String, shrinks: Bool)
    }

    /// The pool.
    package let pool: Shoot.Worker
    /// The class that is wanted.
    package let wanted: String
    /// How many machines the pool is to have at the moment, as its provider knows.
    package let machines: Int
    /// Its Nodes.
    package let nodes: [Node]
    /// The names of those whose machines are gone.
    package let gone: Set<String>

    /// Takes what is seen of a pool; Nodes of other pools are passed over.
    package init(_ pool: Shoot.Worker, wanted: String, machines: Int, nodes: [Node], gone: Set<String>) {
        (self.pool, self.wanted, self.machines, self.gone) = (pool, wanted, machines, gone)
        self.nodes = nodes.filter { $0.pool == pool.name }
    }

    /// The Nodes that are to be replaced; a machine that does not say its class stays.
    package var outdated: [Node] { nodes.filter { $0.isOutdated(wanted: wanted) } }

    /// What to do now.
    package var next: Step {
        let staying = nodes.filter { !$0.isOutdated(wanted: wanted) }
        if let node = outdated.first(where: { gone.contains($0.name) }) { return .forget(node: node.name) }
        if let node = staying.first(where: \.isBeingReplaced) { return .restore(node: node.name) }
        guard let leaving = outdated.min(by: Self.leavesFirst) else { return .done }
        guard machines <= nodes.count else {
            return .wait("\(machines - nodes.count) of \(machines) machines of the pool \(pool.name) are not nodes yet")
        }
        if machines <= pool.minimum, machines < pool.maximum { return .grow(to: machines + 1) }
        if let node = staying.first(where: { !$0.isReady }) { return .wait("node \(node.name) is not ready") }
        return .replace(node: leaving.name, shrinks: outdated.count == 1 && staying.count >= pool.minimum)
    }

    /// One that has begun to leave goes on, then those that are of least use.
    private static func leavesFirst(_ one: Node, _ other: Node) -> Bool {
        func rank(_ node: Node) -> (Int, Int, String) {
            (node.isBeingReplaced ? 0 : 1, node.isReady ? 1 : 0, node.name)
        }
        return rank(one) < rank(other)
    }
}

extension Node {
    /// Whether its machine says that it is of another class than is wanted.
    package func isOutdated(wanted: String) -> Bool { machineClass.map { $0 != wanted } ?? false }
}
