internal import ClusterModel
internal import LinuxSystem
internal import TendrilCore

/// What the coordinator counts, for metrics.
package final class CoordinatorCounts: Sendable {
    private struct State {
        var ends: [String: UInt64] = [:]
        var nanoseconds: [String: UInt64] = [:]
        var shoots = 0
        /// The status of each condition, by the shoot.
        var conditions: [String: [String: String]] = [:]
    }

    private let state = Guarded(State())

    /// Begins at nothing.
    package init() {}

    func ended(_ type: ShootStatus.OperationType, isSuccess: Bool, nanoseconds: UInt64) {
        state.withLock { state in
            let key = "operation=\"\(type.rawValue)\",result=\"\(isSuccess ? "success" : "failure")\""
            state.ends[key, default: 0] += 1
            state.nanoseconds[key, default: 0] &+= nanoseconds
        }
    }

    func saw(_ conditions: [Condition], of shoot: String) {
        let statuses = Dictionary(conditions.map { ($0.type, $0.status) }) { first, _ in first }
        state.withLock { $0.conditions[shoot] = statuses }
    }

    func forget(_ shoot: String) { state.withLock { $0.conditions[shoot] = nil } }

    func know(_ shoots: Int) { state.withLock { $0.shoots = shoots } }

    /// The counts as Prometheus text; `coordinators` share the seed's shoots.
    func text(coordinators: Int) -> String {
        let state = state.withLock { $0 }
        func rows(_ name: String, _ values: [String: String]) -> String {
            values.sorted { $0.key < $1.key }.map { "\(name){\($0.key)} \($0.value)\n" }.joined()
        }
        return """
            # HELP tendril_coordinator_operations_total Operations on shoots that came to an end.
            # TYPE tendril_coordinator_operations_total counter
            \(rows("tendril_coordinator_operations_total", state.ends.mapValues { "\($0)" }))\
            # HELP tendril_coordinator_operation_seconds_total How long they took together.
            # TYPE tendril_coordinator_operation_seconds_total counter
            \(rows(
                "tendril_coordinator_operation_seconds_total",
                state.nanoseconds.mapValues { "\(Double($0) / 1e9)" }
            ))\
            # HELP tendril_coordinator_shoot_conditions Shoots whose condition has this status.
            # TYPE tendril_coordinator_shoot_conditions gauge
            \(rows("tendril_coordinator_shoot_conditions", Self.count(state.conditions).mapValues { "\($0)" }))\
            # HELP tendril_coordinator_peers Coordinators that share the seed's shoots, this one too.
            # TYPE tendril_coordinator_peers gauge
            tendril_coordinator_peers \(coordinators)
            # HELP tendril_coordinator_shoots Shoots that this coordinator takes care of.
            # TYPE tendril_coordinator_shoots gauge
            tendril_coordinator_shoots \(state.shoots)

            """
    }

    private static func count(_ conditions: [String: [String: String]]) -> [String: Int] {
        var counts: [String: Int] = [:]
        for condition in ShootCondition.allCases {
            for status in ["True", "False", "Unknown"] {
                let count = conditions.values.count { $0[condition.rawValue] == status }
                counts["condition=\"\(condition.rawValue)\",status=\"\(status)\""] = count
            }
        }
        let expiring = conditions.values.count { $0[ShootCondition.authoritiesExpire] != nil }
        counts["condition=\"\(ShootCondition.authoritiesExpire)\",status=\"True\""] = expiring
        return counts
    }
}
