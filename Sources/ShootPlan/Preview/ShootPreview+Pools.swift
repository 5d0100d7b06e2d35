import ClusterModel
import NodePlan

/// What happens to machines.
extension ShootPreview {
    mutating func comparePools(_ change: ShootChange) throws {
        let (before, after) = (change.old.spec.workers, change.new.spec.workers)
        let known = Dictionary(before.map { ($0.name, $0) }) { $1 }
        for pool in after {
            guard let was = known[pool.name] else {
                start(pool, "the pool is new")
                continue
            }
            try compare(was, pool, change)
        }
        let kept = Set(after.map(\.name))
        for pool in before where !kept.contains(pool.name) {
            let effect = "its machines end, and nothing is drained before"
            add("pool \(pool.name)", effect, "the pool is gone", machines.of(pool.name))
        }
    }

    /// Says how many machines come.
    mutating func start(_ pool: Shoot.Worker, _ reason: String) {
        add("pool \(pool.name)", "\(starting: pool.minimum)", reason)
    }

    private mutating func compare(_ was: Shoot.Worker, _ pool: Shoot.Worker, _ change: ShootChange) throws {
        let (told, own) = (consequences.count, try FieldChanges(from: was, to: pool))
        let old = try change.before.machine(was)
        compareBounds(was, pool, change.new.spec.provider.type)
        let replaced = try own.reason { try change.before.machine($0).spec.machineClass != old.spec.machineClass }
        if let replaced { add(pool, Self.replacement(pool), replaced, .replaced) }
        // Machines that give way leave all else alone.
        let others: Machines.Part = replaced == nil ? .every : .lasting
        if replaced == nil || machines.of(pool.name, others) != nil {
            try compareUnits(was, pool, change, own, others)
            tellEvictions(was, pool, others)
        }
        if replaced == nil { tellRelease(pool, change) }
        if consequences.count == told, !own.all.isEmpty {
            add("pool \(pool.name)", Self.nothing, own.all.joined(separator: ", "))
        }
    }

    private static func replacement(_ pool: Shoot.Worker) -> String {
        let pace = pool.minimum < pool.maximum ? "one at a time" : "one at a time, with one fewer meanwhile"
        return "its machines are replaced, \(pace); their pods move within PodDisruptionBudgets"
    }

    /// Compares what machines do for what they are told.
    private mutating func compareUnits(
        _ was: Shoot.Worker,
        _ pool: Shoot.Worker,
        _ change: ShootChange,
        _ own: FieldChanges<Shoot.Worker>,
        _ part: Machines.Part
    ) throws {
        let old = try change.before.machine(was)
        for unit in try old.restarts(to: try change.after.machine(pool)).sorted() {
            let fields =
                try own.paths { try old.restarts(to: try change.before.machine($0)).contains(unit) }
                + change.fields.paths { try old.restarts(to: try change.before.with($0).machine(was)).contains(unit) }
            let all = own.all + change.fields.all
            add(pool, Self.restart(of: unit), (fields.isEmpty ? all : fields).joined(separator: ", "), part)
        }
    }

    private static func restart(of unit: String) -> String {
        switch unit {
        case KubeletPaths.unit: "its kubelets restart within the budget, pods go on"
        case NodeRendering.tunnelUnit:
            "tendril-vpn restarts on its nodes within the budget; pods go on, `exec` and `logs -f` on them end"
        default: "\(unit) restarts on its nodes within the budget"
        }
    }

    private mutating func tellEvictions(_ was: Shoot.Worker, _ pool: Shoot.Worker, _ part: Machines.Part) {
        let evicting = (pool.taints ?? []).filter { $0.effect == "NoExecute" && !(was.taints ?? []).contains($0) }
        guard !evicting.isEmpty else { return }
        let keys = evicting.map(\.key).joined(separator: ", ")
        add(pool, "pods that do not tolerate \(keys) are evicted", "taints", part)
    }

    /// A machine has the kubelet of its image, whatever release is wanted.
    private mutating func tellRelease(_ pool: Shoot.Worker, _ change: ShootChange) {
        guard let old = KubernetesVersion(change.old.spec.kubernetes.version),
            let new = KubernetesVersion(change.new.spec.kubernetes.version), old != new
        else { return }
        let stays = "its kubelets stay those of their image"
        let end = "the change is done once that brings 1.\(new.minor): by another image, or in machineImages[]"
        add(pool, old.minor == new.minor ? stays : "\(stays); \(end)", "spec.kubernetes.version", .every)
    }

    /// What ends where bounds shrink is the group's choice; AWS keeps what it has until there is too much of it.
    private mutating func compareBounds(_ old: Shoot.Worker, _ new: Shoot.Worker, _ provider: Shoot.ProviderType) {
        let (subject, nodes) = ("pool \(new.name)", machines.of(new.name))
        if old.minimum < new.minimum {
            let few = provider == .aws ? "up to " : ""
            add(subject, "\(few)\(starting: new.minimum - old.minimum)", "minimum")
        } else if old.minimum > new.minimum, provider == .aws {
            add(subject, "its bound moves to \(new.minimum); no machine ends by that", "minimum")
        } else if old.minimum > new.minimum {
            let most = old.minimum - new.minimum
            let machines = most == 1 ? "1 machine" : "\(most) machines"
            let effect = "the scaling group ends up to \(machines) of its choice, with the pods on it"
            add(subject, effect, "minimum", nodes)
        }
        if old.maximum > new.maximum, provider == .aws {
            let effect = "the scaling group ends what it has beyond \(new.maximum), with the pods on it"
            add(subject, effect, "maximum", nodes)
        } else if old.maximum != new.maximum {
            add(subject, "its bound moves to \(new.maximum)", "maximum")
        }
    }

    private mutating func add(_ pool: Shoot.Worker, _ effect: String, _ reason: String, _ part: Machines.Part) {
        add("pool \(pool.name)", effect, reason, machines.of(pool.name, part))
    }
}

extension DefaultStringInterpolation {
    /// That so many machines come.
    fileprivate mutating func appendInterpolation(starting count: Int) {
        appendInterpolation(count)
        appendLiteral(count == 1 ? " machine starts" : " machines start")
    }
}
