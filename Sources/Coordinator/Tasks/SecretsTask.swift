internal import ClusterModel
internal import KubernetesClient
internal import ShootPlan
internal import TendrilCore

/// What old keys still hold in a shoot after a rotation: Secrets that they encrypted, and tokens that they signed.
enum SecretsTask {
    /// By which rotation's keys a Secret was written last.
    private static let annotation = "tendril.dev/credential"
    private static let tokenType = "kubernetes.io/service-account-token"

    static func make(_ work: ShootWork, _ rotation: Rotation) -> ShootTask {
        ShootTask(
            name: TaskName.secrets,
            title: "Writing Secrets with the new keys",
            // The token controller has to sign with the new key by then.
            after: [TaskName.controllers],
            inputs: { _ in ["rotation": .integer(rotation.number)] },
            perform: { _ in
                let shoot = try await work.shootClient()
                var failures: [String] = []
                for (isToken, field) in [(true, "type=\(tokenType)"), (false, "type!=\(tokenType)")] {
                    try await shoot.forEachMetadata(KubernetesSecret.self, field: field) { secret in
                        do throws(APIError) {
                            try await rewrite(secret, isToken: isToken, shoot, rotation)
                        } catch {
                            try Task.checkCancellation()
                            guard failures.count < 3 else { return }
                            let name = "\(secret.namespace ?? "")/\(secret.name ?? "")"
                            failures.append("the Secret \(name) of the shoot cannot be written: \(error)")
                        }
                    }
                }
                guard failures.isEmpty else { throw TaskFailure(.cleanUp, failures.joined(separator: "; ")) }
                return [:]
            }
        )
    }

    /// Has a Secret written anew: the API server encrypts with the first key whatever it writes, also what did not change.
    private static func rewrite(
        _ secret: ObjectMetadata,
        isToken: Bool,
        _ shoot: KubernetesClient,
        _ rotation: Rotation
    ) async throws(APIError) {
        guard let name = secret.name else { return }
        let number = "\(rotation.number)"
        let isDone = isToken && secret.annotations?[annotation] == number
        // A token that is missing is made anew (kube-controller-manager's token controller), and kubelets bring it to pods.
        let change: JSONValue =
            isToken && !isDone
            ? ["metadata": ["annotations": .object([annotation: .string(number)])], "data": ["token": .null]] : [:]
        do throws(APIError) {
            try await shoot.patch(KubernetesSecret.self, name, namespace: secret.namespace, change)
        } catch {
            guard error.isNotFound else { throw error }
        }
    }
}
