import ClusterModel
import TendrilCore

/// Rights within the shoot, and who has them.
extension Addons {
    private static let group = "rbac.authorization.k8s.io"

    static func account(_ name: String) -> JSONValue {
        ["apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata(name)]
    }

    static func subject(account name: String) -> JSONValue {
        ["kind": "ServiceAccount", "name": .string(name), "namespace": .string(namespace)]
    }

    static func subject(user name: String) -> JSONValue {
        ["kind": "User", "name": .string(name), "apiGroup": .string(group)]
    }

    /// A role; a local one is of kube-system alone.
    static func role(_ name: String, isLocal: Bool = false, _ rules: [PolicyRule]) -> JSONValue {
        object(kind(isLocal), name, isLocal, ["rules": .array(rules.map(document))])
    }

    /// Gives a role; a local one within kube-system.
    static func binding(_ name: String, role: String, isLocal: Bool = false, _ subject: JSONValue) -> JSONValue {
        let reference: JSONValue = [
            "apiGroup": .string(group), "kind": .string(kind(isLocal)), "name": .string(role),
        ]
        return object("\(kind(isLocal))Binding", name, isLocal, ["roleRef": reference, "subjects": [subject]])
    }

    private static func kind(_ isLocal: Bool) -> String { isLocal ? "Role" : "ClusterRole" }

    private static func object(_ kind: String, _ name: String, _ isLocal: Bool, _ content: JSONValue) -> JSONValue {
        var metadata: JSONValue = ["name": .string(name), "labels": Ownership.renderedLabels]
        if isLocal { metadata = metadata.merging(["namespace": .string(namespace)]) }
        let base: JSONValue = [
            "apiVersion": .string("\(group)/v1"), "kind": .string(kind), "metadata": metadata,
        ]
        return base.merging(content)
    }

    private static func document(_ rule: PolicyRule) -> JSONValue {
        func list(_ texts: [String]) -> JSONValue { .array(texts.map { .string($0) }) }
        let fields: JSONValue = [
            "apiGroups": list(rule.apiGroups), "resources": list(rule.resources), "verbs": list(rule.verbs),
        ]
        return rule.resourceNames.map { fields.merging(["resourceNames": list($0)]) } ?? fields
    }
}
