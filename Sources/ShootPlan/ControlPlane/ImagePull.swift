package import ClusterModel
package import TendrilCore

/// By what a seed pulls the images of control planes: copies of Secrets, for a pod names those of its own namespace only
/// (Kubernetes documentation, "Pull an Image from a Private Registry").
package enum ImagePull {
    /// The only type that is copied: no other Secret of the coordinator's namespace is to reach that of a shoot.
    package static let type = "kubernetes.io/dockerconfigjson"
    /// By this label copies are known.
    package static let label = "tendril.dev/pull-secret"
    private static let key = ".dockerconfigjson"

    /// What the copy is called; nothing else that is ours begins so.
    package static func copyName(of name: String) -> String { "pull-\(name)" }

    /// The copy in a shoot's namespace.
    ///
    /// - Parameters:
    ///   - original: in the coordinator's namespace.
    ///   - name: its name.
    ///   - cluster: the shoot.
    /// - Returns: the Secret; `nil` where the original is of another type, or empty.
    package static func copy(of original: KubernetesSecret, named name: String, for cluster: ClusterFacts)
        -> JSONValue?
    {
        guard original.type == type, let data = original[key], !data.isEmpty else { return nil }
        return [
            "apiVersion": "v1", "kind": "Secret", "type": .string(type),
            "metadata": [
                "name": .string(copyName(of: name)), "namespace": .string(cluster.id),
                "labels": Ownership.renderedLabels.merging([label: "true"]),
            ],
            "data": [key: .string(data.base64)],
        ]
    }
}
