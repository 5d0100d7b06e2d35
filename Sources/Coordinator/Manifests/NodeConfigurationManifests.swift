internal import ClusterModel
package import NodePlan
internal import StrictYAML
package import TLSEngine
package import TendrilCore

/// A pool's configuration, signed, with what leads the pool's machines to it and lets them read it.
package enum NodeConfigurationManifests {
    /// Reads and judges a configuration that is to be signed.
    package static func read(_ bytes: [UInt8]) throws -> NodeConfiguration {
        try StrictDecoder.decode(NodeConfiguration.self, from: bytes) { configuration in
            var problems = NodeConfigurationRules.problems(configuration)
            let most = BootstrapManifests.restartLeases
            // An agent goes on with more, as earlier releases have signed it; it only finds no more Leases.
            problems.require(
                configuration.spec.restartBudget ?? 1 <= most,
                "spec.restartBudget",
                "must be 1 to \(most): there are no more Leases"
            )
            return problems
        }
    }

    /// All objects of a pool.
    ///
    /// - Parameters:
    ///   - configuration: has no problems.
    ///   - keys: each of them signs, so that machines that believe in any of them take it.
    /// - Returns: JSON documents.
    /// - Throws: where a value cannot be encoded or signed.
    package static func all(_ configuration: NodeConfiguration, keys: [SigningKey]) throws -> [JSONValue] {
        let document = try CanonicalJSON.bytes(configuration)
        let pool = configuration.metadata.pool
        let secretName = "\(TendrilAPI.pointer(pool: pool))-\(Digest.hex(document).prefix(16))"
        let pointerName = TendrilAPI.pointer(pool: pool)
        let labels = TokenGrant.labels(pool: pool)
        let signatures = try keys.map { try $0.sign(document).base64 }.joined(separator: "\n") + "\n"
        func metadata(_ name: String) -> ObjectMetadata {
            ObjectMetadata(name: name, namespace: TendrilAPI.namespace, labels: labels)
        }
        let references = configuration.spec.secretNames.sorted()
        let followed = references.isEmpty ? [] : [PolicyRule(["get", "list", "watch"], ["secrets"], names: references)]
        let role = Role(
            metadata(pointerName),
            rules: [
                PolicyRule(["get", "list", "watch"], ["configmaps"], names: [pointerName]),
                PolicyRule(["get"], ["secrets"], names: [secretName]),
            ] + followed
        )
        let group = RoleSubject(group: MachineIdentity.group(pool: pool))
        let data = [TendrilAPI.documentKey: document, TendrilAPI.signatureKey: Array(signatures.utf8)]
        return try [
            CanonicalJSON.value(
                KubernetesSecret(metadata(secretName), type: "tendril.dev/node-configuration", data: data)
            ),
            CanonicalJSON.value(role),
            CanonicalJSON.value(RoleBinding(metadata(pointerName), role: pointerName, subject: group)),
            // Last: it leads to what is there already.
            CanonicalJSON.value(ConfigMap(metadata(pointerName), data: [TendrilAPI.pointerKey: secretName])),
        ]
    }
}
