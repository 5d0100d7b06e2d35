internal import ClusterModel
internal import KubernetesClient
internal import ShootPlan
internal import TendrilCore

/// Takes a shoot away, also one that was made by half.
enum DeletionTasks {
    static func all(_ work: ShootWork, _ provider: any InfrastructureProvider) -> [ShootTask] {
        func task(
            _ name: String,
            _ title: String,
            after: [String],
            _ perform: @escaping @Sendable () async throws -> Void
        )
            -> ShootTask
        {
            ShootTask(
                name: name,
                title: title,
                after: after,
                inputs: { _ in [:] },
                perform: { _ in
                    try await perform()
                    return [:]
                }
            )
        }
        return [
            // What takes load balancers and volumes away runs on machines, and its owner may have to help.
            CleanUpTask.make(work),
            task("delete-access", "Taking the kubeconfig back", after: [CleanUpTask.name]) {
                let name = Shoot.kubeconfigSecret(of: work.shoot.name)
                try await work.garden.delete(KubernetesSecret.self, name, namespace: work.shoot.namespace)
            },
            task("delete-machines", "Ending machines", after: [CleanUpTask.name]) {
                _ = try await provider.scale(work, [], [:])
            },
            task("delete-snapshots", "Ending snapshots", after: []) {
                guard work.facts.seed.snapshots != nil else { return }
                do {
                    try await SnapshotsTask.end(work)
                } catch let error as APIError where error.code == 403 {
                    // Rights of an older release; it goes with the namespace.
                }
            },
            // Last of what is outside, for everything else stands on it.
            task("delete-infrastructure", "Removing the infrastructure", after: ["delete-machines"]) {
                try await provider.remove(work)
            },
            task("delete-namespace", "Removing the control plane", after: ["delete-access", "delete-infrastructure"]) {
                let path = "/api/v1/namespaces/\(work.namespace)"
                guard let namespace = try await work.seed.findDocument(path),
                    NamespaceTask.isOwn(namespace, of: work.shoot)
                else { return }
                try await work.seed.deleteDocument(path)
                try await Waiting.untilWell(.seconds(300), for: "the namespace to go") {
                    try await work.seed.findDocument(path) == nil ? nil : .init("something in it does not go")
                }
            },
        ]
    }
}
