internal import TendrilCore

/// What pods of ours may do on their node: as little as their program can be started with.
///
/// Source: Kubernetes documentation, "Pod Security Standards", profile "Restricted".
enum Confinement {
    /// The `securityContext` of a pod.
    static let pod: JSONValue = ["seccompProfile": ["type": "RuntimeDefault"]]

    /// The `securityContext` of a container.
    ///
    /// - Parameters:
    ///   - user: whose processes it has; `nil` where the pod says it.
    ///   - capabilities: those that its program cannot be started, or do its work, without.
    /// - Returns: the fields.
    static func container(user: Int? = nil, adding capabilities: [JSONValue] = []) -> JSONValue {
        var kept: [String: JSONValue] = ["drop": ["ALL"]]
        if !capabilities.isEmpty { kept["add"] = .array(capabilities) }
        var fields: [String: JSONValue] = [
            "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": .object(kept),
        ]
        if user != 0 { fields["runAsNonRoot"] = true }
        if let user { fields["runAsUser"] = .integer(user) }
        return .object(fields)
    }
}
