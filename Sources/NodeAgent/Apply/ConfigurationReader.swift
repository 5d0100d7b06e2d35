package import ClusterModel
package import NodePlan
internal import StrictYAML
package import TLSEngine
internal import TendrilCore

/// Reads a signed NodeConfiguration and believes only what is proven: one that is unsigned or another pool's is refused.
package struct ConfigurationReader: Sendable {
    /// The largest document that is read, in bytes.
    package static let maximumBytes = 1 << 20

    private let keys: [VerifyingKey]
    private let pool: String

    package init(keys: [VerifyingKey], pool: String) { (self.keys, self.pool) = (keys, pool) }

    /// Proves what came in a Secret: `node.json`, and in `signature` one or several signatures in base64, a line each.
    package func prove(_ secret: KubernetesSecret) throws(AgentFailure) -> SignedConfiguration {
        let name = secret.metadata.name ?? "?"
        guard let document = secret[TendrilAPI.documentKey] else {
            throw AgentFailure(.noDesiredState, "the Secret \(name) has no node.json")
        }
        guard document.count <= Self.maximumBytes else {
            throw AgentFailure(
                .badDesiredState,
                "the configuration in \(name) is larger than \(Self.maximumBytes) bytes"
            )
        }
        let signatures = DetachedSignatures(secret.text(TendrilAPI.signatureKey) ?? "")
        guard !signatures.isEmpty else { throw AgentFailure(.forged, "the configuration in \(name) is not signed") }
        guard signatures.prove(document, by: keys) else {
            throw AgentFailure(.forged, "the configuration in \(name) is signed by none of the keys that are believed")
        }
        let configuration = try decode(document, name, judge: NodeConfigurationRules.problems)
        guard configuration.metadata.pool == pool else {
            throw AgentFailure(
                .foreignPool,
                "the configuration in \(name) is for the pool \(configuration.metadata.pool)"
            )
        }
        let generation = configuration.metadata.generation
        return SignedConfiguration(
            name: name,
            document: document,
            checksum: Digest.hex(document),
            generation: generation
        )
    }

    /// Reads a document that was proven and taken, maybe by an earlier release.
    package func read(_ document: [UInt8], _ name: String) throws(AgentFailure) -> NodeConfiguration {
        var configuration = try decode(document, name, judge: NodeConfigurationRules.problemsOfTaken)
        if let taints = configuration.spec.kubelet?.taints {
            configuration.spec.kubelet?.taints = Node.Taint.distinct(taints)
        }
        return configuration
    }

    private func decode(
        _ document: [UInt8],
        _ name: String,
        judge: (NodeConfiguration) -> [ConfigurationProblem]
    ) throws(AgentFailure) -> NodeConfiguration {
        do throws(ConfigurationError) {
            return try StrictDecoder.decode(NodeConfiguration.self, from: document, judge: judge)
        } catch {
            throw AgentFailure(.badDesiredState, "the configuration in \(name): \(error)")
        }
    }
}
