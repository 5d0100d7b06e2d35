/// core/v1 Pod.
package struct Pod: KubernetesObject {
    /// The claim that a volume is of (core/v1 PersistentVolumeClaimVolumeSource).
    package struct ClaimSource: Codable, Hashable, Sendable {
        package var claimName: String?
    }
    /// A claim that comes and goes with the pod (core/v1 EphemeralVolumeSource); nothing of it is read.
    package struct EphemeralSource: Codable, Hashable, Sendable {}
    /// One of its volumes.
    package struct Volume: Codable, Hashable, Sendable {
        package var name: String
        package var persistentVolumeClaim: ClaimSource?
        package var ephemeral: EphemeralSource?
    }
    /// What is wanted of it.
    package struct Spec: Codable, Hashable, Sendable {
        package var nodeName: String?
        package var volumes: [Volume]?
    }
    /// What is seen of it.
    package struct Status: Codable, Hashable, Sendable {
        package var phase: String?
    }

    package static let resource = ResourceKind(plural: "pods", isNamespaced: true)
    package var apiVersion: String? = "v1"
    package var kind: String? = "Pod"
    package var metadata: ObjectMetadata
    package var spec: Spec?
    package var status: Status?

    /// Whether it has to leave before its node's machine ends: it still runs, and belongs to no single node.
    ///
    /// Pods of DaemonSets would come back at once, and static pods live in files of the node (Kubernetes documentation,
    /// "Safely Drain a Node").
    package var hasToLeave: Bool {
        let isStatic = metadata.annotations?["kubernetes.io/config.mirror"] != nil
        let isOfNode = metadata.ownerReferences?.contains { $0.kind == "DaemonSet" } ?? false
        return !isStatic && !isOfNode && !["Succeeded", "Failed"].contains(status?.phase)
    }

    /// The names of the claims that it uses, all in its own namespace; one that comes and goes with it has its name in front
    /// (Kubernetes documentation, "Ephemeral Volumes").
    package var claims: [String] {
        (spec?.volumes ?? []).compactMap { volume in
            volume.persistentVolumeClaim?.claimName ?? volume.ephemeral.map { _ in "\(name)-\(volume.name)" }
        }
    }
}
