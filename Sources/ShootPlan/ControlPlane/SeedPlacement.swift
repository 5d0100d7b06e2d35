import ClusterModel
import TendrilCore

/// What a seed's operator says of all pods of control planes: on which nodes, before whom, and by what their images are pulled.
enum SeedPlacement {
    /// The fields of a pod's `spec`; none that the Seed says nothing of.
    static func fields(_ seed: Seed.Spec) -> [String: JSONValue] {
        var fields: [String: JSONValue] = [:]
        if let priority = seed.priorityClassName { fields["priorityClassName"] = .string(priority) }
        let labels = seed.placement?.nodeSelector ?? [:]
        if !labels.isEmpty { fields["nodeSelector"] = .object(labels.mapValues { .string($0) }) }
        let tolerations = seed.placement?.tolerations ?? []
        if !tolerations.isEmpty { fields["tolerations"] = .array(tolerations.map(document)) }
        let secrets = seed.imagePullSecrets ?? []
        if !secrets.isEmpty {
            fields["imagePullSecrets"] = .array(secrets.map { ["name": .string(ImagePull.copyName(of: $0))] })
        }
        return fields
    }

    private static func document(_ toleration: Seed.Toleration) -> JSONValue {
        let texts = [
            ("key", toleration.key), ("operator", toleration.operator), ("value", toleration.value),
            ("effect", toleration.effect),
        ]
        var fields: [String: JSONValue] = [:]
        for case (let name, let text?) in texts { fields[name] = .string(text) }
        if let seconds = toleration.tolerationSeconds { fields["tolerationSeconds"] = .integer(seconds) }
        return .object(fields)
    }
}
