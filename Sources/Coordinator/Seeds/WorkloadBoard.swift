internal import ClusterModel
internal import KubernetesClient
internal import LinuxSystem
internal import Logging
internal import ShootPlan
internal import TendrilCore

/// How the control planes of all shoots are, followed by two watches: to look at one costs no request.
package final class WorkloadBoard: Sendable {
    private struct State {
        /// By kind, then by namespace, then by name; a kind is there once it was listed.
        var workloads: [String: [String: [String: RolloutState]]] = [:]
    }

    private static let kinds = 2
    private let state = Guarded(State())

    /// Makes one on which nothing is listed yet.
    package init() {}

    /// Follows what the coordinator has made in the seed until the task is cancelled.
    func run(_ seed: KubernetesClient, _ logger: Logger) async {
        async let deployments: Void = follow(Deployment.self, seed, logger)
        async let statefulSets: Void = follow(StatefulSet.self, seed, logger)
        _ = await (deployments, statefulSets)
    }

    /// What is wrong with the workloads of a namespace; `nil` as long as they were not listed.
    func problems(in namespace: String) -> [String]? {
        state.withLock { state in
            guard state.workloads.count == Self.kinds else { return nil }
            let here = state.workloads.values.flatMap { Array($0[namespace] ?? [:]) }
            if here.isEmpty { return ["nothing runs"] }
            return here.compactMap { name, rollout in rollout.problem.map { "\(name): \($0)" } }.sorted()
        }
    }

    /// Where something of a control plane is; `nil` as long as they were not listed.
    var namespaces: Set<String>? {
        state.withLock { state in
            guard state.workloads.count == Self.kinds else { return nil }
            return Set(state.workloads.values.flatMap(\.keys))
        }
    }

    private func follow<Object: Workload>(_ type: Object.Type, _ seed: KubernetesClient, _ logger: Logger) async {
        let kind = Object.resource.plural
        let watcher = Watcher(type, client: seed, selector: Ownership.selector)
        await watcher.run { event in
            switch event {
            case .all(let objects):
                var all: [String: [String: RolloutState]] = [:]
                for object in objects {
                    all[object.metadata.namespace ?? "", default: [:]][object.name] = Self.state(object)
                }
                self.state.withLock { [all] in $0.workloads[kind] = all }
            case .changed(let object): self.take(object, Self.state(object))
            case .removed(let object): self.take(object, nil)
            case .failed(let error):
                logger.warning("cannot follow \(kind) in the seed", metadata: ["reason": "\(error)"])
            }
        }
    }

    private static func state(_ object: some Workload) -> RolloutState {
        RolloutState(object.metadata, replicas: object.spec?.replicas, object.status)
    }

    private func take(_ object: some Workload, _ rollout: RolloutState?) {
        guard let name = object.metadata.name, let namespace = object.metadata.namespace else { return }
        let kind = type(of: object).resource.plural
        state.withLock { state in
            state.workloads[kind]?[namespace, default: [:]][name] = rollout
            if state.workloads[kind]?[namespace]?.isEmpty == true { state.workloads[kind]?[namespace] = nil }
        }
    }
}
