internal import ClusterModel
internal import FoundationEssentials
internal import KubernetesClient
internal import ShootPlan
internal import TLSEngine
internal import TendrilCore

/// Machines on the seed's host, for development: a program on the host follows the Secrets in which the groups are
/// written, as a cloud follows its scaling groups.
struct LocalProvider: InfrastructureProvider {
    /// The label of a group.
    static let label = "tendril.dev/machine-group"
    /// How many machines are wanted.
    static let desired = "tendril.dev/desired"
    /// What the machines' names begin with.
    static let prefix = "tendril.dev/name-prefix"
    /// The names of the machines that there are, separated by commas; the host's program writes it.
    static let present = "tendril.dev/present"

    func problems(_ spec: Shoot.Spec) -> [ConfigurationProblem] {
        guard spec.provider.infrastructure == nil else {
            return [ConfigurationProblem("spec.provider.infrastructure", "is nothing that local machines have")]
        }
        return []
    }

    func problems(changing made: JSONValue, to spec: Shoot.Spec) -> [ConfigurationProblem] { [] }

    /// Different for any two pools of any two shoots.
    func namePrefix(_ cluster: String, pool: String) -> String {
        "m\(Digest.hex(Array("\(cluster)/\(pool)".utf8)).prefix(6))-"
    }

    func inputs(_ work: ShootWork) -> JSONValue { ["provider": "local"] }

    func prepare(_ work: ShootWork) async throws -> JSONValue { [:] }

    func scale(_ work: ShootWork, _ groups: [MachineGroup], _ infrastructure: JSONValue) async throws
        -> PresentMachines?
    {
        let list = try await work.seed.list(KubernetesSecret.self, namespace: work.namespace, selector: Self.label)
        let wanted = Dictionary(uniqueKeysWithValues: groups.map { (Self.name($0.pool.name), $0) })
        for old in list.items where wanted[old.metadata.name ?? ""] == nil {
            try await work.seed.patch(
                KubernetesSecret.self,
                old.metadata.name ?? "",
                namespace: work.namespace,
                ["metadata": ["annotations": [Self.desired: "0"]]]
            )
        }
        for (name, group) in wanted { try await write(work, name, group) }
        let present: Set<String> = try await Waiting.until(.seconds(300), for: "machines") {
            let groups = try await work.seed.list(
                KubernetesSecret.self,
                namespace: work.namespace,
                selector: Self.label
            ).items
            return Self.machines(groups)
        }
        for old in list.items where wanted[old.metadata.name ?? ""] == nil {
            try await work.seed.delete(KubernetesSecret.self, old.metadata.name ?? "", namespace: work.namespace)
        }
        return .names(present)
    }

    func remove(_ work: ShootWork) async throws { _ = try await scale(work, [], [:]) }

    private static func name(_ pool: String) -> String { "machines-\(pool)" }

    private func write(_ work: ShootWork, _ name: String, _ group: MachineGroup) async throws {
        try await work.seed.serverSideApply(
            [
                "apiVersion": "v1", "kind": "Secret", "type": "tendril.dev/machine-group",
                "metadata": [
                    "name": .string(name), "namespace": .string(work.namespace),
                    "labels": [Self.label: "true", "app.kubernetes.io/managed-by": "tendril-coordinator"],
                    "annotations": [
                        Self.desired: .string("\(group.pool.minimum)"),
                        Self.prefix: .string(namePrefix(work.namespace, pool: group.pool.name)),
                    ],
                ],
                "data": ["user-data": .string(Data(group.userData).base64EncodedString())],
            ],
            manager: Manager.name
        )
    }

    /// The machines of all groups, once each group has as many as are wanted.
    private static func machines(_ groups: [KubernetesSecret]) -> Result<Set<String>, Waiting.NotYet> {
        var all: Set<String> = []
        for group in groups {
            let notes = group.metadata.annotations ?? [:]
            let names = (notes[present] ?? "").split(separator: ",").map(String.init)
            guard "\(names.count)" == notes[desired] else {
                return .failure(
                    .init("\(group.metadata.name ?? ""): \(names.count) of \(notes[desired] ?? "?") machines")
                )
            }
            all.formUnion(names)
        }
        return .success(all)
    }
}
