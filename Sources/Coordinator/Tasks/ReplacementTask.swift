internal import ClusterModel
internal import KubernetesClient
internal import LinuxSystem
internal import Logging
internal import ShootPlan
internal import TendrilCore

/// Machines of a class that is not wanted any more give way to new ones, one at a time in each pool.
enum ReplacementTask {
    static func make(_ work: ShootWork, _ provider: any InfrastructureProvider) -> ShootTask {
        ShootTask(
            name: TaskName.replacement,
            title: "Replacing machines",
            after: [TaskName.machines, TaskName.controllers],
            isWaiting: true,
            inputs: { records in
                [
                    "classes": .object(work.machineClasses.mapValues { .string($0) }),
                    "machines": records[TaskName.machines] ?? .null,
                ]
            },
            perform: { records in
                try await perform(work, provider, records)
                return [:]
            }
        )
    }

    private static func perform(
        _ work: ShootWork,
        _ provider: any InfrastructureProvider,
        _ records: FlowRecords
    ) async throws {
        let shoot = try await work.shootClient()
        let nodes = try await shoot.list(Node.self).items
        func needs(_ pool: Shoot.Worker) -> Bool {
            guard let wanted = work.machineClasses[pool.name] else { return false }
            return nodes.contains { $0.pool == pool.name && ($0.isOutdated(wanted: wanted) || $0.isBeingReplaced) }
        }
        let pools = work.facts.spec.workers
        for pool in pools where !needs(pool) {
            try await provider.settle(work, pool) {
                try await MachineReplacer(work, provider, shoot, records).see()
            }
        }
        guard pools.contains(where: needs) else { return }
        let replacer = try await MachineReplacer(work, provider, shoot, records)
        // One pool after the other: their pods are each other's guests.
        for pool in pools where needs(pool) {
            guard let wanted = work.machineClasses[pool.name] else { continue }
            let outdated = nodes.count { $0.pool == pool.name && $0.isOutdated(wanted: wanted) }
            // New machines of an old class would be replaced for ever.
            try await replacer.run(pool, wanted: wanted, limit: outdated + pool.maximum)
        }
    }
}

/// Takes the steps that replace the machines of a pool.
private struct MachineReplacer {
    /// How long a new machine may take to be a Node that is ready.
    private static let joining = Nanoseconds.seconds(1200)
    /// How long the pods of a node may take to leave it.
    private static let draining = Nanoseconds.seconds(1800)
    /// How long the Node of a machine that is gone may take to go, too.
    private static let forgetting = Nanoseconds.seconds(1200)

    private typealias Look = (plan: PoolReplacement, seen: MachinesSeen)

    let work: ShootWork
    let provider: any InfrastructureProvider
    let shoot: KubernetesClient
    let groups: [MachineGroup]
    let infrastructure: JSONValue

    init(
        _ work: ShootWork,
        _ provider: any InfrastructureProvider,
        _ shoot: KubernetesClient,
        _ records: FlowRecords
    ) async throws {
        (self.work, self.provider, self.shoot) = (work, provider, shoot)
        groups = try await MachinesTask.machineGroups(work, provider, records).map(\.group)
        infrastructure = records[TaskName.infrastructure] ?? [:]
    }

    /// Takes one step after the other until none is left; more replacements than the limit are an error, and so are more
    /// Nodes without machines.
    func run(_ pool: Shoot.Worker, wanted: String, limit: Int) async throws {
        let start = Clock.now()
        var (replaced, forgotten) = (0, 0)
        while true {
            let (plan, seen): Look = try await Waiting.until(
                Self.joining,
                every: provider.pause,
                for: "a machine of the pool \(pool.name)"
            ) {
                let now = try await look(pool, wanted)
                return if case .wait(let reason) = now.plan.next { .failure(.init(reason)) } else { .success(now) }
            }
            switch plan.next {
            case .done:
                try await provider.settle(work, pool) { seen }
                let seconds = Clock.now().since(start).seconds
                return await work.tell("MachinesReplaced", "pool \(pool.name): \(replaced) machines in \(seconds) s")
            case .wait: break
            case .restore(let node): try await mark(node, isLeaving: false)
            case .grow(let count): try await provider.grow(work, pool, to: count, seen)
            case .forget(let node):
                guard forgotten < limit else {
                    throw TaskFailure(.unknown, "pool \(pool.name): Nodes come again whose machines are gone: \(node)")
                }
                try await forget(node)
                forgotten += 1
            case .replace(let node, let shrinks):
                guard replaced < limit else {
                    throw TaskFailure(.configuration, "pool \(pool.name): new machines are of an old class as well")
                }
                let left = plan.outdated.count
                await work.tell("ReplacingMachine", "pool \(pool.name): \(node) gives way, 1 of \(left) that are left")
                try await mark(node, isLeaving: true)
                try await drain(node)
                let leaver = try await shoot.get(Node.self, node)
                try await provider.end(work, leaver.machine, of: pool, shrinks: shrinks, seen)
                try await forget(node)
                replaced += 1
            }
        }
    }

    private func look(_ pool: Shoot.Worker, _ wanted: String) async throws -> Look {
        let nodes = try await shoot.list(Node.self).items
        let seen = try await see()
        // The one that comes next may have the name of one that has ended.
        try await EndedMachines.forget(work, provider, seen.present, shoot, at: Clock.unixTime())
        let plan = PoolReplacement(
            pool,
            wanted: wanted,
            machines: seen.desired[pool.name] ?? 0,
            nodes: nodes,
            gone: Set(nodes.filter(seen.present.isGone).map(\.name))
        )
        return (plan, seen)
    }

    /// What the provider knows of the machines now.
    func see() async throws -> MachinesSeen { try await provider.look(work, groups, infrastructure) }

    /// Removes the Node of a machine that is gone, and waits for whoever has a finalizer on it.
    private func forget(_ name: String) async throws {
        try await MachinesTask.removeNode(name, shoot)
        try await Waiting.untilWell(Self.forgetting, every: provider.pause, for: "the Node \(name) to go") {
            guard let node = try await shoot.find(Node.self, name), node.metadata.deletionTimestamp != nil else {
                return nil
            }
            let finalizers = node.metadata.finalizers ?? []
            return .init("finalizers \(finalizers.joined(separator: ", "))")
        }
    }

    /// Keeps new pods away from a node, or lets them come again.
    private func mark(_ node: String, isLeaving: Bool) async throws {
        try await shoot.patch(
            Node.self,
            node,
            [
                "metadata": ["annotations": [TendrilAPI.replacementAnnotation: isLeaving ? "true" : .null]],
                "spec": ["unschedulable": isLeaving ? true : .null],
            ]
        )
    }

    /// Moves the pods of a node elsewhere, as fast as their PodDisruptionBudgets allow it.
    private func drain(_ node: String) async throws {
        var held: Set<String> = []
        let version = work.facts.traits.evictionVersion
        try await Waiting.untilWell(Self.draining, every: .seconds(1), for: "the pods of node \(node)") {
            // What a kubelet that is not there does not end goes with its machine.
            let answers = try await shoot.find(Node.self, node)?.isReady ?? false
            let pods = try await shoot.list(Pod.self, field: "spec.nodeName=\(node)").items.filter {
                $0.hasToLeave && (answers || $0.metadata.deletionTimestamp == nil)
            }
            var reason = "\(pods.count) pods end"
            let known = held
            for pod in pods where pod.metadata.deletionTimestamp == nil {
                let (name, namespace) = (pod.name, pod.metadata.namespace ?? "")
                do throws(APIError) {
                    try await shoot.evict(name, namespace: namespace, version: version)
                } catch {
                    if error.isNotFound { continue }
                    reason = "pod \(namespace)/\(name) stays: \(error)"
                    held.insert("\(namespace)/\(name)")
                }
            }
            if held != known { await work.tell("MachineReplacementWaits", "node \(node): \(reason)", isWarning: true) }
            return pods.isEmpty ? nil : .init(reason)
        }
    }
}
