internal import KubernetesClient
internal import ShootPlan
internal import TendrilCore

/// Waits for workloads to be as they are wanted.
enum Rollout {
    /// Waits until all pods of a Deployment, StatefulSet or DaemonSet are new and ready.
    static func wait(_ object: JSONValue, in client: KubernetesClient, limit: Nanoseconds) async throws {
        guard let path = ObjectPath.path(of: object) else { return }
        let name = object["metadata"]?["name"]?.text ?? ""
        try await Waiting.untilWell(limit, for: "\(name) to be ready") {
            let current = try await client.document(path)
            return RolloutState(current).problem.map { .init($0) }
        }
    }
}
