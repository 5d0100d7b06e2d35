package import ClusterModel
package import TendrilCore

/// How far the pods of a Deployment, StatefulSet or DaemonSet are.
package struct RolloutState: Hashable, Sendable {
    /// Of the object.
    package var generation: Int
    /// The one that its controller has seen; `nil` where it has seen none.
    package var observedGeneration: Int?
    /// How many pods there are to be.
    package var wanted: Int
    /// How many there are, the old ones too.
    package var present: Int
    /// How many are of the newest template.
    package var updated: Int
    package var ready: Int

    /// Takes a Deployment's or StatefulSet's numbers.
    package init(_ metadata: ObjectMetadata, replicas: Int?, _ status: WorkloadStatus?) {
        generation = metadata.generation ?? 0
        observedGeneration = status?.observedGeneration
        wanted = replicas ?? 1
        present = status?.replicas ?? 0
        updated = status?.updatedReplicas ?? 0
        ready = status?.readyReplicas ?? 0
    }

    /// Takes the numbers of a Deployment, StatefulSet or DaemonSet as a document.
    package init(_ object: JSONValue) {
        func number(_ part: String, _ name: String) -> Int? { object[part]?[name]?.number }
        generation = number("metadata", "generation") ?? 0
        observedGeneration = number("status", "observedGeneration")
        ready = number("status", "readyReplicas") ?? number("status", "numberReady") ?? 0
        updated = number("status", "updatedReplicas") ?? number("status", "updatedNumberScheduled") ?? 0
        if object["kind"]?.text == "DaemonSet" {
            wanted = number("status", "desiredNumberScheduled") ?? 0
            // A pod of a DaemonSet is replaced where it is.
            present = wanted
        } else {
            wanted = number("spec", "replicas") ?? 1
            present = number("status", "replicas") ?? 0
        }
    }

    /// Why not all is as it is wanted; `nil` where it is.
    package var problem: String? {
        guard let observedGeneration, observedGeneration >= generation else { return "its controller has not seen it" }
        if updated < wanted || ready < wanted { return "\(ready) of \(wanted) pods are ready" }
        return present > wanted ? "an old pod is still there" : nil
    }
}
