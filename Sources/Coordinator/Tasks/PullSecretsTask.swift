internal import ClusterModel
internal import KubernetesClient
internal import ShootPlan
internal import TendrilCore

/// What a shoot's namespace holds so that images of its control plane can be pulled.
enum PullSecretsTask {
    static func make(_ work: ShootWork) -> ShootTask {
        let names = work.facts.seed.imagePullSecrets ?? []
        return ShootTask(
            name: TaskName.pullSecrets,
            title: "Copying what images are pulled by",
            after: [TaskName.namespace],
            inputs: { _ in .array(names.map { .string($0) }) },
            perform: { _ in
                try await keepInStep(work, names)
                return [:]
            }
        )
    }

    /// Copies what the Seed names as it is now, and takes away copies of what it names no more.
    ///
    /// A copy that was made outlives its original, which is told: images that were pulled by it may still be.
    ///
    /// - Parameters:
    ///   - work: of a shoot whose namespace is there, and its own.
    ///   - names: of the Secrets in the coordinator's namespace.
    /// - Throws: `TaskFailure` for a Secret that is not there, or is none that images are pulled by, where there is no copy either;
    ///   `APIError`.
    private static func keepInStep(_ work: ShootWork, _ names: [String]) async throws {
        let home = work.configuration.namespace ?? CoordinatorConfiguration.defaultNamespace
        let found = try await work.seed.list(
            KubernetesSecret.self,
            namespace: work.namespace,
            selector: ImagePull.label
        )
        let copies = Set(found.items.compactMap(\.metadata.name))
        for name in names {
            let original = try await work.seed.find(KubernetesSecret.self, name, namespace: home)
            if let original, let copy = ImagePull.copy(of: original, named: name, for: work.facts) {
                try await work.applyInSeed([copy])
                continue
            }
            let place = "\(home)/\(name)"
            let lack = original == nil ? "there is no Secret \(place)" : "\(place) is none of type \(ImagePull.type)"
            let reason = "the Seed's spec.imagePullSecrets: \(lack)"
            guard copies.contains(ImagePull.copyName(of: name)) else { throw TaskFailure(.configuration, reason) }
            await work.tell("PullSecretMissing", "\(reason); the copy stays as it is", isWarning: true)
        }
        for name in copies.subtracting(names.map(ImagePull.copyName)).sorted() {
            try await work.seed.delete(KubernetesSecret.self, name, namespace: work.namespace)
        }
    }
}
