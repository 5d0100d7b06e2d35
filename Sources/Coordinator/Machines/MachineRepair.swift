internal import ClusterModel
package import KubernetesClient
internal import LinuxSystem
internal import Logging
internal import ShootPlan
package import TendrilCore

/// Ends machines that do not become Nodes, so that others come in their place.
package struct MachineRepair {
    /// How often it is worth a look, which at a cloud is a run of Terraform.
    static let period = Nanoseconds.seconds(180)

    private static let key = "pools.json"

    private let work: ShootWork
    private let provider: any InfrastructureProvider
    private let shoot: KubernetesClient
    private let infrastructure: JSONValue
    private let groups: () async throws -> [MachineGroup]

    /// Takes what the machines were made of.
    init(
        _ work: ShootWork,
        _ provider: any InfrastructureProvider,
        _ records: FlowRecords,
        _ shoot: KubernetesClient
    ) {
        self.init(work, provider, shoot, records[TaskName.infrastructure] ?? [:]) {
            try await MachinesTask.machineGroups(work, provider, records).map(\.group)
        }
    }

    /// Takes how the machines were made.
    ///
    /// - Parameters:
    ///   - work: whose machines they are.
    ///   - provider: who made them.
    ///   - shoot: the shoot's API.
    ///   - infrastructure: what the provider prepared.
    ///   - groups: the machines as they are to be.
    package init(
        _ work: ShootWork,
        _ provider: any InfrastructureProvider,
        _ shoot: KubernetesClient,
        _ infrastructure: JSONValue,
        groups: @escaping () async throws -> [MachineGroup]
    ) {
        (self.work, self.provider, self.shoot) = (work, provider, shoot)
        (self.infrastructure, self.groups) = (infrastructure, groups)
    }

    /// Every machine counts from its beginning.
    package static func forget(_ work: ShootWork) async throws {
        let notebook = notebook(work)
        if try await !notebook.read().data.isEmpty { try await notebook.write([:]) }
    }

    /// Looks once; what fails is told in the log, and looked at the next time.
    ///
    /// - Parameters:
    ///   - now: in seconds since 1970.
    ///   - isCertain: whether there are such machines, though nobody sees them without asking the provider.
    /// - Returns: whether machines are waited for.
    @discardableResult
    package func attend(at now: UInt64, isCertain: Bool = false) async -> Bool {
        do {
            let nodes = try await shoot.list(Node.self).items
            let bootstraps = try await shoot.list(NodeBootstrap.self).items
            let isAnyoneSilent = nodes.contains { $0.isSilent(at: now) }
            let pools = work.facts.spec.workers.map { (name: $0.name, isShort: isShort($0, nodes, bootstraps)) }
            // Where nothing is known and nothing is missing nobody is asked.
            guard isCertain || isAnyoneSilent || pools.contains(where: { $0.isShort }) else { return false }
            let before = try await Self.notebook(work).read().entry(Self.key, as: [String: PoolRepair].self) ?? [:]
            let isWorthIt = pools.contains { pool in
                let isResting = before[pool.name]?.isResting(generation: work.shoot.metadata.generation) ?? false
                return isResting ? !pool.isShort : pool.isShort || isCertain
            }
            guard isWorthIt || isAnyoneSilent else { return true }
            let seen = try await provider.look(work, try await groups(), infrastructure)
            let left = try await removeEnded(nodes, seen.present, at: now)
            try await EndedMachines.forget(work, provider, seen.present, shoot, at: now)
            return try await attend(before, seen, left, bootstraps, at: now)
        } catch {
            work.logger.warning("cannot look after machines that are no nodes", metadata: ["reason": "\(error)"])
            return true
        }
    }

    /// Removes the Nodes of machines that have ended by themselves, so that pods and volumes are free for others.
    ///
    /// - Returns: the Nodes that stay.
    private func removeEnded(_ nodes: [Node], _ present: PresentMachines, at now: UInt64) async throws -> [Node] {
        let ended = Set(nodes.filter { $0.isSilent(at: now) && present.isGone($0) }.compactMap(\.metadata.name))
        for name in ended.sorted() {
            try await MachinesTask.removeNode(name, shoot)
            await work.tell("MachineEnded", "node \(name) is removed: its machine is gone", isWarning: true)
        }
        return nodes.filter { !ended.contains($0.name) }
    }

    private func isShort(_ pool: Shoot.Worker, _ nodes: [Node], _ bootstraps: [NodeBootstrap]) -> Bool {
        let names = Set(nodes.map(\.name))
        return nodes.count { $0.pool == pool.name } < pool.minimum
            || bootstraps.contains { $0.spec?.pool == pool.name && $0.isUnborn(beside: names) }
    }

    private func attend(
        _ before: [String: PoolRepair],
        _ seen: MachinesSeen,
        _ nodes: [Node],
        _ bootstraps: [NodeBootstrap],
        at now: UInt64
    ) async throws -> Bool {
        let names = Set(nodes.map(\.name))
        let said = bootstraps.byName
        var repairs: [String: PoolRepair] = [:]
        var steps: [(pool: Shoot.Worker, step: PoolRepair.Step)] = []
        for pool in work.facts.spec.workers {
            let strangers = seen.strangers(of: pool.name, beside: nodes)
                .filter { said[$0.name]?.isUnborn(beside: names) ?? true }
            let starts = strangers.map { ($0.name, said[$0.name]?.start) }
            var repair = before[pool.name] ?? PoolRepair()
            let step = repair.next(
                Dictionary(starts) { first, _ in first },
                isWhole: nodes.count { $0.pool == pool.name } >= max(pool.minimum, seen.desired[pool.name] ?? 0),
                generation: work.shoot.metadata.generation,
                at: now
            )
            if !repair.isIdle { repairs[pool.name] = repair }
            steps.append((pool, step))
        }
        // Ahead of what is done: who is stopped here rather ends one machine too few.
        if repairs != before { try await Self.notebook(work).write([Self.key: try CanonicalJSON.value(repairs)]) }
        for (pool, step) in steps { try await take(step, pool, repairs[pool.name], seen, said) }
        return !repairs.isEmpty
    }

    private func take(
        _ step: PoolRepair.Step,
        _ pool: Shoot.Worker,
        _ repair: PoolRepair?,
        _ seen: MachinesSeen,
        _ said: [String: NodeBootstrap]
    ) async throws {
        switch step {
        case .none: break
        case .giveUp:
            let text =
                "pool \(pool.name): \(PoolRepair.most) machines in a row have not become nodes; no more are ended"
            await work.tell("MachinesKeepFailing", text, isWarning: true)
        case .end(let name, let seconds):
            // A look takes its time; a machine that has come meanwhile has pods.
            guard let machine = seen.machines[pool.name]?.first(where: { $0.name == name }),
                try await shoot.find(Node.self, name) == nil
            else { return }
            let count = "\(repair?.ended ?? 0) of \(PoolRepair.most)"
            let reason = said[name]?.plight ?? "it says nothing"
            let text =
                "pool \(pool.name): \(name) has not become a node in \(seconds / 60) min (\(reason)); "
                + "another one comes in its place, \(count)"
            await work.tell("EndingMachine", text, isWarning: true)
            try await provider.end(work, machine, of: pool, shrinks: false, seen)
            try await MachinesTask.removeNode(name, shoot)
        }
    }

    private static func notebook(_ work: ShootWork) -> Notebook {
        Notebook(seed: work.seed, namespace: work.namespace, name: "tendril-machines")
    }
}

extension Node {
    /// Whether it is one of ours and not ready for so long that its machine may have ended, and not for so long that this has been
    /// looked at again and again.
    fileprivate func isSilent(at now: UInt64) -> Bool {
        guard pool != nil, !isReady,
            let since = condition("Ready")?.lastTransitionTime.flatMap(KubernetesTime.seconds), since <= now
        else { return false }
        return (300...2400).contains(now - since)
    }
}

extension NodeBootstrap {
    /// When its machine first said something, in seconds since 1970.
    fileprivate var start: UInt64? { metadata.creationTimestamp.flatMap(KubernetesTime.seconds) }

    /// How far it came, and why not further.
    fileprivate var plight: String {
        guard let status else { return "it has only begun" }
        return status.phase.rawValue + (status.error.map { ": \($0)" } ?? "")
    }
}
