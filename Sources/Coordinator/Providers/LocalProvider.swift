package import ClusterModel
internal import KubernetesClient
internal import ShootPlan
internal import TLSEngine
package import TendrilCore

/// Machines on the seed's host, for development: a program on the host follows the Secrets in which the groups are
/// written, as a cloud follows its scaling groups.
package struct LocalProvider: InfrastructureProvider {
    /// The label of a group.
    package static let label = "tendril.dev/machine-group"
    /// How many machines are wanted.
    package static let desired = "tendril.dev/desired"
    /// What the machines' names begin with.
    static let prefix = "tendril.dev/name-prefix"
    /// The names of the machines that there are, separated by commas; the host's program writes it.
    package static let present = "tendril.dev/present"
    /// How many machines there are beyond the pool's minimum while machines are replaced.
    static let surge = "tendril.dev/surge"
    /// The name of the machine that is to end before any other.
    package static let leaving = "tendril.dev/leaving"

    /// Makes one; whatever it knows stands in the seed.
    package init() {}

    /// Different for any two pools of any two shoots.
    package func namePrefix(_ cluster: String, pool: String) -> String {
        "m\(Digest.hex(Array("\(cluster)/\(pool)".utf8)).prefix(6))-"
    }

    package func inputs(_ work: ShootWork) -> JSONValue { ["provider": "local"] }

    package func prepare(_ work: ShootWork) async throws -> JSONValue { [:] }

    package var machinesConfiguration: String? { nil }

    package func keepCredentials(_ work: ShootWork, ahead prepare: @Sendable () async throws -> Void) async throws
        -> Bool
    {
        false
    }

    package func scale(_ work: ShootWork, _ groups: [MachineGroup], _ infrastructure: JSONValue) async throws
        -> PresentMachines?
    {
        let list = try await work.seed.list(KubernetesSecret.self, namespace: work.namespace, selector: Self.label)
        let wanted = Dictionary(uniqueKeysWithValues: groups.map { (Self.name($0.pool.name), $0) })
        let known = list.items.byName
        for old in list.items where wanted[old.name] == nil {
            try await work.seed.patch(
                KubernetesSecret.self,
                old.name,
                namespace: work.namespace,
                ["metadata": ["annotations": [Self.desired: "0"]]]
            )
        }
        for (name, group) in wanted {
            try await write(work, name, group, surge: known[name].flatMap(Self.surge) ?? 0)
        }
        let present: Set<String> = try await Waiting.until(.seconds(300), for: "machines") {
            let groups = try await work.seed.list(
                KubernetesSecret.self,
                namespace: work.namespace,
                selector: Self.label
            ).items
            return Self.machines(groups)
        }
        for old in list.items where wanted[old.name] == nil {
            try await work.seed.delete(KubernetesSecret.self, old.name, namespace: work.namespace)
        }
        return .names(present)
    }

    package func remove(_ work: ShootWork) async throws { _ = try await scale(work, [], [:]) }

    package var pause: Nanoseconds { .milliseconds(500) }

    package func look(_ work: ShootWork, _ groups: [MachineGroup], _ infrastructure: JSONValue) async throws
        -> MachinesSeen
    {
        let list = try await work.seed.list(KubernetesSecret.self, namespace: work.namespace, selector: Self.label)
        let known = list.items.byName
        let pools = groups.map { ($0.pool.name, known[Self.name($0.pool.name)]) }
        return MachinesSeen(
            present: .names(Set(list.items.flatMap(Self.names))),
            desired: Dictionary(uniqueKeysWithValues: pools.map { ($0, $1.flatMap(Self.desiredCount) ?? 0) }),
            machines: Dictionary(
                uniqueKeysWithValues: pools.map { ($0, $1.map(Self.names)?.map { Machine(name: $0) } ?? []) }
            )
        )
    }

    package func grow(_ work: ShootWork, _ pool: Shoot.Worker, to count: Int, _ seen: MachinesSeen) async throws {
        let surge = count - pool.minimum
        try await note([Self.surge: .string("\(surge)"), Self.desired: .string("\(count)")], on: pool, work)
    }

    package func settle(_ work: ShootWork, _ pool: Shoot.Worker, _ look: () async throws -> MachinesSeen)
        async throws
    {
        let group = try await work.seed.get(KubernetesSecret.self, Self.name(pool.name), namespace: work.namespace)
        let notes = group.metadata.annotations ?? [:]
        // Whoever saw the machine end may have been stopped then; another one of that name is not to follow it.
        let isLeft = notes[Self.leaving] != nil
        guard isLeft || Self.surge(group) != nil else { return }
        try await note(
            [Self.surge: .null, Self.leaving: .null, Self.desired: .string("\(pool.minimum)")],
            on: pool,
            work
        )
    }

    package func end(_ work: ShootWork, _ machine: Machine, of pool: Shoot.Worker, shrinks: Bool, _ seen: MachinesSeen)
        async throws
    {
        let name = machine.name
        let group = try await work.seed.get(KubernetesSecret.self, Self.name(pool.name), namespace: work.namespace)
        // A second attempt finds a machine that has ended, and must not shrink the group again.
        guard Self.names(group).contains(name) else { return }
        var notes: [String: JSONValue] = [Self.leaving: .string(name)]
        if shrinks { (notes[Self.surge], notes[Self.desired]) = (.null, .string("\(pool.minimum)")) }
        try await note(notes, on: pool, work)
        try await Waiting.untilWell(.seconds(300), for: "the machine \(name) to end") {
            let group = try await work.seed.get(KubernetesSecret.self, Self.name(pool.name), namespace: work.namespace)
            return Self.names(group).contains(name) ? .init("it is there") : nil
        }
        try await note([Self.leaving: .null], on: pool, work)
    }

    /// Changes the annotations of a pool's group.
    private func note(_ notes: [String: JSONValue], on pool: Shoot.Worker, _ work: ShootWork) async throws {
        try await work.seed.patch(
            KubernetesSecret.self,
            Self.name(pool.name),
            namespace: work.namespace,
            ["metadata": ["annotations": .object(notes)]]
        )
    }

    /// The names of a group's machines.
    private static func names(_ group: KubernetesSecret) -> [String] {
        (group.metadata.annotations?[present] ?? "").split(separator: ",").map(String.init)
    }

    private static func desiredCount(_ group: KubernetesSecret) -> Int? {
        group.metadata.annotations?[desired].flatMap { Int($0) }
    }

    private static func surge(_ group: KubernetesSecret) -> Int? {
        group.metadata.annotations?[surge].flatMap { Int($0) }
    }

    private static func name(_ pool: String) -> String { "machines-\(pool)" }

    private func write(_ work: ShootWork, _ name: String, _ group: MachineGroup, surge: Int) async throws {
        try await work.seed.serverSideApply(
            [
                "apiVersion": "v1", "kind": "Secret", "type": "tendril.dev/machine-group",
                "metadata": [
                    "name": .string(name), "namespace": .string(work.namespace),
                    "labels": Ownership.renderedLabels.merging([Self.label: "true"]),
                    "annotations": [
                        Self.desired: .string("\(group.pool.minimum + surge)"),
                        Self.prefix: .string(namePrefix(work.namespace, pool: group.pool.name)),
                    ],
                ],
                "data": ["user-data": .string(group.userData.base64)],
            ],
            manager: Ownership.manager
        )
    }

    /// The machines of all groups, once each group has as many as are wanted.
    private static func machines(_ groups: [KubernetesSecret]) -> Result<Set<String>, Waiting.NotYet> {
        var all: Set<String> = []
        for group in groups {
            let (names, wanted) = (names(group), desiredCount(group) ?? 0)
            guard names.count == wanted else {
                return .failure(.init("\(group.name): \(names.count) of \(wanted) machines"))
            }
            all.formUnion(names)
        }
        return .success(all)
    }
}
