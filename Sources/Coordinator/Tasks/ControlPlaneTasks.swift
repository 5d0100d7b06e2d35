internal import ClusterModel
internal import KubernetesClient
internal import ShootPlan
internal import TendrilCore

/// etcd, the API server and the controllers as pods of the seed.
enum ControlPlaneTasks {
    static func etcd(_ work: ShootWork, after: [String]) -> ShootTask {
        workloads(work, TaskName.etcd, title: "etcd", after: after) { records in
            ControlPlane.etcd(work.facts, digests: try digests(records))
        }
    }

    static func apiServer(_ work: ShootWork, after: [String]) -> ShootTask {
        workloads(work, TaskName.apiServer, title: "kube-apiserver", after: after) { records in
            try ControlPlane.apiServer(work.facts, try work.addresses(records), digests: try digests(records))
        }
    }

    static func controllers(_ work: ShootWork, after: [String]) -> ShootTask {
        workloads(work, TaskName.controllers, title: "the controllers", after: after) { records in
            ControlPlane.controllers(work.facts, digests: try digests(records))
        }
    }

    /// The API server answers under the address by which the coordinator knows it.
    static func apiAnswers(_ work: ShootWork) -> ShootTask {
        ShootTask(
            name: TaskName.apiAnswers,
            title: "Waiting for the API server",
            after: [TaskName.apiServer],
            isWaiting: true,
            inputs: { records in
                ["server": .string(records.tasks[TaskName.apiServer]?.inputs ?? "")]
            },
            perform: { _ in
                let client = try await work.shootClient()
                try await Waiting.untilWell(.seconds(300), for: "the API server") {
                    _ = try await client.text("/readyz")
                    return nil
                }
                return [:]
            }
        )
    }

    private static func workloads(
        _ work: ShootWork,
        _ name: String,
        title: String,
        after: [String],
        _ render: @escaping @Sendable (FlowRecords) throws -> [JSONValue]
    ) -> ShootTask {
        ShootTask(
            name: name,
            title: work.facts.isHibernated ? "Stopping \(title)" : "Starting \(title)",
            after: after,
            inputs: { .array(try render($0)) },
            perform: { records in
                var objects: [JSONValue] = []
                for object in try render(records) { objects.append(try await keepingWhatIsFixed(object, work)) }
                try await work.applyInSeed(objects)
                for object in objects where ["Deployment", "StatefulSet"].contains(object["kind"]?.text) {
                    try await Rollout.wait(object, in: work.seed, limit: .seconds(300))
                }
                return [:]
            }
        )
    }

    /// What cannot be changed of a StatefulSet is left as it was made, with another storage class of the seed, say (Kubernetes
    /// documentation, "StatefulSets"); nor does a database get less room than it had.
    private static func keepingWhatIsFixed(_ object: JSONValue, _ work: ShootWork) async throws -> JSONValue {
        guard object["kind"]?.text == "StatefulSet", let path = ObjectPath.path(of: object),
            let found = try await work.seed.findDocument(path), let spec = found["spec"]
        else { return object }
        var kept: [String: JSONValue] = [:]
        for field in ["volumeClaimTemplates", "podManagementPolicy"] { kept[field] = spec[field] }
        return EtcdQuota.keeping(object.merging(["spec": .object(kept)]), of: found)
    }

    private static func digests(_ records: FlowRecords) throws -> [String: String] {
        let authorities = try records.output(TaskName.authorities, as: AuthoritiesTask.Output.self)
        let leaves = try records.output(TaskName.certificates, as: CertificatesTask.Output.self)
        return authorities.digests.merging(leaves.digests) { $1 }
    }
}
