internal import ClusterModel
internal import KubernetesClient
internal import ShootPlan
internal import TendrilCore

/// The namespace in the seed.
enum NamespaceTask {
    static func make(_ work: ShootWork) -> ShootTask {
        let shoot = work.shoot
        let objects = ControlPlane.namespace(
            work.facts,
            project: shoot.namespace,
            name: shoot.name,
            uid: shoot.metadata.uid
        )
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
                if let before, !isOwn(before, of: shoot) {
                    throw TaskFailure(.configuration, refusal(work.namespace, before, of: shoot))
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
            && labels?["tendril.dev/project"]?.text == shoot.namespace && !isOfNamesake(namespace, of: shoot)
    }

    /// Whether a namespace was made for another Shoot of this name.
    ///
    /// One that names none was made by an earlier release, and is ours.
    private static func isOfNamesake(_ namespace: JSONValue, of shoot: Shoot) -> Bool {
        guard let uid = namespace["metadata"]?["annotations"]?[Ownership.shootUID] else { return false }
        return uid.text != shoot.metadata.uid
    }

    /// Why nothing of a shoot's goes into a namespace that is not its own, and what an operator can do about that.
    private static func refusal(_ name: String, _ namespace: JSONValue, of shoot: Shoot) -> String {
        let refusal = "the namespace \(name) is there, and is not this shoot's"
        guard isOfNamesake(namespace, of: shoot), let uid = shoot.metadata.uid else { return refusal }
        return refusal + " but an earlier one's of this name, whose cluster may run on. "
            + "Where it is this one's all the same, for the garden was made anew from files, "
            + "the seed's operator says so: kubectl annotate namespace \(name) \(Ownership.shootUID)=\(uid) --overwrite"
    }
}
