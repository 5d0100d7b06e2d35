internal import ClusterModel
internal import KubernetesClient
internal import ShootPlan
internal import TendrilCore

/// The namespace in the seed.
enum NamespaceTask {
    static func make(_ work: ShootWork) -> ShootTask {
        let objects = ControlPlane.namespace(work.facts, project: work.shoot.namespace, name: work.shoot.name)
        return ShootTask(
            name: TaskName.namespace,
            title: "Making the namespace",
            after: [],
            inputs: { _ in .array(objects) },
            perform: { _ in
                let path = "/api/v1/namespaces/\(work.namespace)"
                let before = try await work.seed.findDocument(path)
                guard before?["metadata"]?["deletionTimestamp"] == nil else {
                    throw TaskFailure(.cleanUp, "the namespace \(work.namespace) of an earlier shoot is still going")
                }
                // Who was there before may hold rights in it: nothing secret goes into a namespace that is not ours.
                guard before.map({ isOwn($0, of: work.shoot) }) ?? true else {
                    throw TaskFailure(
                        .configuration,
                        "the namespace \(work.namespace) is there, and is not this shoot's"
                    )
                }
                try await work.applyInSeed(objects)
                return [:]
            }
        )
    }
}

extension NamespaceTask {
    /// Whether a namespace of the seed was made for a shoot, and is not somebody else's who came first.
    static func isOwn(_ namespace: JSONValue, of shoot: Shoot) -> Bool {
        let labels = namespace["metadata"]?["labels"]
        return labels?["tendril.dev/shoot"]?.text == shoot.name
            && labels?["tendril.dev/project"]?.text == shoot.namespace
    }
}
