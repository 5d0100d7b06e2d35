internal import ClusterModel
internal import KubernetesClient
internal import ShootPlan
internal import TLSEngine
internal import TendrilCore

/// What runs in kube-system.
enum AddonsTask {
    struct Output: Codable, Sendable {
        /// Workloads to wait for, as `daemonsets/kube-proxy`.
        var workloads: [String]
        /// Add-ons that do not run, for their images are not at hand.
        var leftOut: [String]
        /// Where the objects are: what is not wanted any more is removed.
        var paths: [String]
        /// How they were left.
        var installed: InstalledObjects?
    }

    static func make(_ work: ShootWork) -> ShootTask {
        let kubeProxy = work.configuration.kubeProxy ?? [:]
        return ShootTask(
            name: TaskName.addons,
            title: "Installing add-ons",
            after: [TaskName.system],
            inputs: { records in
                let addons = try Addons.all(work.facts, kubeProxy: kubeProxy, kubeconfig: "", digest: "")
                return [
                    "objects": .array(addons.flatMap(\.objects)),
                    "certificates": records[TaskName.certificates] ?? .null,
                ]
            },
            perform: { records in
                let shoot = try await work.shootClient()
                let kubeconfig = try await work.secret(LeafName.kubeProxy.rawValue)[SecretKey.kubeconfig] ?? []
                let addons = try Addons.all(
                    work.facts,
                    kubeProxy: kubeProxy,
                    kubeconfig: kubeconfig.base64,
                    digest: Digest.hex(kubeconfig)
                )
                let objects = addons.flatMap(\.objects)
                var installed = InstalledObjects()
                for object in objects {
                    installed.note(object, as: try await shoot.serverSideApply(object, manager: Ownership.manager))
                }
                let paths = objects.compactMap { ObjectPath.path(of: $0) }
                let wanted = Set(paths.map(ObjectPath.withoutVersion))
                func isLeft(_ path: String) -> Bool { !wanted.contains(ObjectPath.withoutVersion(path)) }
                let before = (try? records.output(TaskName.addons, as: Output.self).paths) ?? []
                for path in before where isLeft(path) { try await shoot.deleteDocument(path) }
                // Who was stopped on the way to a wish, the first one too, has not written down what is there.
                let isChange = records.tasks[TaskName.addons]?.inputs.isEmpty ?? true
                for path in isChange ? try everyPath(work) : [] where isLeft(path) && !before.contains(path) {
                    let label = try await shoot.findDocument(path)?["metadata"]?["labels"]?[Ownership.label]?.text
                    if label == Ownership.manager { try await shoot.deleteDocument(path) }
                }
                return try CanonicalJSON.value(
                    Output(
                        workloads: addons.compactMap(\.workload),
                        leftOut: addons.filter(\.isLeftOut).map(\.name),
                        paths: paths,
                        installed: installed
                    )
                )
            }
        )
    }
}

extension AddonsTask {
    /// Where objects of add-ons may be, also of those that are not wanted.
    private static func everyPath(_ work: ShootWork) throws -> [String] {
        let all = try Addons.all(work.facts.withEveryAddon, kubeProxy: [:], kubeconfig: "", digest: "")
        return all.flatMap(\.objects).compactMap { ObjectPath.path(of: $0) }
    }
}
