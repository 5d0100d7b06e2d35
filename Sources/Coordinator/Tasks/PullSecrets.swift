internal import ClusterModel
internal import KubernetesClient
internal import ShootPlan

/// What a shoot's namespace holds so that images of its control plane can be pulled.
enum PullSecrets {
    /// Copies what the Seed names as it is now, and takes away copies of what it names no more.
    ///
    /// - Parameter work: of a shoot whose namespace is there, and its own.
    /// - Throws: `TaskFailure` for a Secret that is not there, or is none that images are pulled by; `APIError`.
    static func keepInStep(_ work: ShootWork) async throws {
        let names = work.facts.seed.imagePullSecrets ?? []
        let home = work.configuration.namespace ?? CoordinatorConfiguration.defaultNamespace
        for name in names {
            guard let original = try await work.seed.find(KubernetesSecret.self, name, namespace: home) else {
                throw TaskFailure(
                    .configuration,
                    "the Seed's spec.imagePullSecrets: there is no Secret \(home)/\(name)"
                )
            }
            guard let copy = ImagePull.copy(of: original, named: name, for: work.facts) else {
                throw TaskFailure(
                    .configuration,
                    "the Seed's spec.imagePullSecrets: \(home)/\(name) is none of type \(ImagePull.type)"
                )
            }
            try await work.applyInSeed([copy])
        }
        let wanted = Set(names.map(ImagePull.copyName))
        let found = try await work.seed.list(
            KubernetesSecret.self,
            namespace: work.namespace,
            selector: ImagePull.label
        )
        for name in found.items.compactMap(\.metadata.name) where !wanted.contains(name) {
            try await work.seed.delete(KubernetesSecret.self, name, namespace: work.namespace)
        }
    }
}
