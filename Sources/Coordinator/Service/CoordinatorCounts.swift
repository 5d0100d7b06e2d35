package import ClusterModel
internal import LinuxSystem
internal import Observability
internal import TendrilCore

/// What the coordinator counts, for metrics.
package final class CoordinatorCounts: Sendable {
    private struct End: Hashable, Comparable {
        let operation: String
        let result: String

        static func < (one: End, other: End) -> Bool { (one.operation, one.result) < (other.operation, other.result) }
    }

    private struct Sum {
        var count: UInt64 = 0
        var nanoseconds: UInt64 = 0
    }

    /// A shoot as it was seen last.
    private struct SeenShoot {
        let isHosted: Bool
        let isPaused: Bool
        let operation: ShootStatus.Operation?
    }

    private struct State {
        var ends: [End: Sum] = [:]
        var shoots: [String: SeenShoot] = [:]
        /// The status of each condition, by the shoot.
        var conditions: [String: [String: String]] = [:]
        /// Shoots that have been without a new snapshot for too long.
        var withoutSnapshot: Set<String> = []
        var seeds: [Seed] = []
        var silent: Set<String> = []
        /// The namespaces of control planes whose Shoot is gone.
        var orphans: Set<String> = []
    }

    private let state = Guarded(State())

    /// Begins at nothing.
    package init() {}

    func ended(_ type: ShootStatus.OperationType, isSuccess: Bool, nanoseconds: UInt64) {
        let end = End(operation: type.rawValue, result: isSuccess ? "success" : "failure")
        state.withLock { state in
            state.ends[end, default: Sum()].count += 1
            state.ends[end, default: Sum()].nanoseconds &+= nanoseconds
        }
    }

    /// Takes how a shoot is that nobody else takes care of; `seed` is the coordinator's own.
    package func saw(_ shoot: Shoot, seed: String) {
        let seen = SeenShoot(
            isHosted: shoot.spec.seedName == seed,
            isPaused: shoot.isPaused,
            operation: shoot.status?.lastOperation
        )
        let isOthers = !seen.isHosted && shoot.spec.seedName != nil
        state.withLock { $0.shoots[shoot.key] = isOthers ? nil : seen }
    }

    func saw(_ conditions: [Condition], of shoot: String) {
        let statuses = Dictionary(conditions.map { ($0.type, $0.status) }) { first, _ in first }
        state.withLock { $0.conditions[shoot] = statuses }
    }

    /// Takes whether a shoot has been without a new snapshot for too long.
    package func saw(isWithoutSnapshot: Bool, of shoot: String) {
        state.withLock { state in
            state.withoutSnapshot.remove(shoot)
            if isWithoutSnapshot { state.withoutSnapshot.insert(shoot) }
        }
    }

    /// Counts a shoot no more, by its key.
    package func forget(_ shoot: String) {
        state.withLock { state in
            (state.conditions[shoot], state.shoots[shoot]) = (nil, nil)
            state.withoutSnapshot.remove(shoot)
        }
    }

    /// Takes all seeds of the garden, and the names of those of which nothing is heard.
    package func saw(_ seeds: [Seed], silent: Set<String>) {
        state.withLock { ($0.seeds, $0.silent) = (seeds, silent) }
    }

    /// Takes the namespaces of control planes whose Shoot is gone; whether these are others than before.
    func saw(orphans: Set<String>) -> Bool {
        state.withLock { state in
            defer { state.orphans = orphans }
            return state.orphans != orphans
        }
    }

    /// The counts as Prometheus text; `coordinators` share the seed's shoots.
    package func text(coordinators: Int) -> String {
        let state = state.withLock { $0 }
        var text = MetricsText()
        Self.addOperations(state, to: &text)
        Self.addShoots(state, to: &text)
        Self.addSeeds(state, to: &text)
        text.add(
            "tendril_coordinator_peers",
            .gauge,
            "Coordinators that share the seed's shoots, this one too.",
            [.init(coordinators)]
        )
        return text.text
    }

    private static func addOperations(_ state: State, to text: inout MetricsText) {
        let ends = state.ends.sorted { $0.key < $1.key }
        func labels(_ end: End) -> [(String, String)] { [("operation", end.operation), ("result", end.result)] }
        text.add(
            "tendril_coordinator_operations_total",
            .counter,
            "Operations on shoots that came to an end.",
            ends.map { .init($0.value.count, labels($0.key)) }
        )
        text.add(
            "tendril_coordinator_operation_seconds_total",
            .counter,
            "How long they took together.",
            ends.map { .init(Double($0.value.nanoseconds) / 1e9, labels($0.key)) }
        )
    }

    private static func addShoots(_ state: State, to text: inout MetricsText) {
        let shoots = state.shoots.values
        func add(_ name: String, _ help: String, _ samples: [MetricsText.Sample]) {
            text.add("tendril_coordinator_\(name)", .gauge, help, samples)
        }
        add("shoots", "Shoots of the seed that this coordinator takes care of.", [.init(shoots.count { $0.isHosted })])
        add("shoots_paused", "Shoots for which nothing is done.", [.init(shoots.count { $0.isPaused })])
        add(
            "shoots_by_state",
            "Shoots whose last operation is in this state.",
            ShootStatus.OperationType.allCases.flatMap { type in
                ShootStatus.OperationState.allCases.map { state in
                    .init(
                        shoots.count { $0.operation?.type == type && $0.operation?.state == state },
                        [("operation", type.rawValue), ("state", state.rawValue)]
                    )
                }
            }
        )
        add(
            "shoots_without_snapshot",
            "Shoots of which no snapshot was made for three intervals.",
            [.init(state.withoutSnapshot.count)]
        )
        add("orphans", "Control planes in the seed whose Shoot is gone.", [.init(state.orphans.count)])
        add("shoot_conditions", "Shoots whose condition has this status.", conditions(state.conditions))
    }

    private static func conditions(_ conditions: [String: [String: String]]) -> [MetricsText.Sample] {
        func sample(_ type: String, _ status: String, _ count: Int) -> MetricsText.Sample {
            .init(count, [("condition", type), ("status", status)])
        }
        let expiring = conditions.values.count { $0[ShootCondition.authoritiesExpire] != nil }
        return ShootCondition.allCases.flatMap { condition in
            ["True", "False", "Unknown"].map { status in
                sample(condition.rawValue, status, conditions.values.count { $0[condition.rawValue] == status })
            }
        } + [sample(ShootCondition.authoritiesExpire, "True", expiring)]
    }

    private static func addSeeds(_ state: State, to text: inout MetricsText) {
        func add(_ name: String, _ help: String, _ value: (Seed) -> Int) {
            text.add(
                "tendril_coordinator_seed_\(name)",
                .gauge,
                help,
                state.seeds.map { .init(value($0), [("seed", $0.name)]) }
            )
        }
        add("silent", "1 where no coordinator of the seed has been heard for 90 s.") {
            state.silent.contains($0.name) ? 1 : 0
        }
        add("shoots", "Shoots that the seed hosts, as its coordinators say.") { $0.status?.shoots ?? 0 }
        add("capacity", "How many shoots the seed takes.") { $0.spec.capacity }
    }
}
