package import ClusterModel
package import KubernetesClient
internal import TLSEngine

/// Finds and proves the configuration of the machine's pool.
package struct DesiredState: Sendable {
    private let context: AgentContext
    private let client: KubernetesClient

    package init(_ context: AgentContext, _ client: KubernetesClient) {
        (self.context, self.client) = (context, client)
    }

    /// Fetches what the pool's pointer leads to.
    package func fetch() async throws(AgentFailure) -> SignedConfiguration {
        let name = TendrilAPI.pointer(pool: context.identity.pool)
        let pointer = try await attempting("read the ConfigMap \(name)") {
            try await client.find(ConfigMap.self, name, namespace: TendrilAPI.namespace)
        }
        guard let pointer else {
            throw AgentFailure(.noDesiredState, "there is no ConfigMap \(name): nothing is wanted of the pool yet")
        }
        return try await fetch(pointer)
    }

    /// Fetches what a pointer leads to.
    package func fetch(_ pointer: ConfigMap) async throws(AgentFailure) -> SignedConfiguration {
        guard let name = pointer.data?[TendrilAPI.pointerKey], NodeName.isValid(name) else {
            throw AgentFailure(.noDesiredState, "the ConfigMap \(pointer.name) names no Secret")
        }
        let secret = try await attempting("read the Secret \(name)") {
            try await client.find(KubernetesSecret.self, name, namespace: TendrilAPI.namespace)
        }
        guard let secret else {
            throw AgentFailure(.noDesiredState, "there is no Secret \(name), to which the pool's pointer leads")
        }
        let keys = try attempt("read configurationKeys") { try context.verifyingKeys() }
        return try ConfigurationReader(keys: keys, pool: context.identity.pool).prove(secret)
    }
}
