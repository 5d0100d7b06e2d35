/// What may be done with what (rbac/v1 PolicyRule).
package struct PolicyRule: Codable, Hashable, Sendable {
    package var apiGroups: [String]
    package var resources: [String]
    package var resourceNames: [String]?
    package var verbs: [String]

    package init(_ verbs: [String], _ resources: [String], group: String = "", names: [String]? = nil) {
        (self.verbs, self.resources, apiGroups, resourceNames) = (verbs, resources, [group], names)
    }
}

/// The role of a binding.
package struct RoleReference: Codable, Hashable, Sendable {
    package var apiGroup = "rbac.authorization.k8s.io"
    package var kind: String
    package var name: String

    package init(kind: String, name: String) { (self.kind, self.name) = (kind, name) }
}

/// To whom a role is given.
package struct RoleSubject: Codable, Hashable, Sendable {
    package var apiGroup = "rbac.authorization.k8s.io"
    /// `User` or `Group`.
    package var kind: String
    package var name: String

    package init(user name: String) { (kind, self.name) = ("User", name) }
    package init(group name: String) { (kind, self.name) = ("Group", name) }
}

/// rbac/v1 ClusterRole.
package struct ClusterRole: KubernetesObject {
    package static let resource = AccessControl.resource("clusterroles", isNamespaced: false)
    package var apiVersion: String? = AccessControl.apiVersion
    package var kind: String? = "ClusterRole"
    package var metadata: ObjectMetadata
    package var rules: [PolicyRule]?

    package init(_ metadata: ObjectMetadata, rules: [PolicyRule]) { (self.metadata, self.rules) = (metadata, rules) }
}

/// rbac/v1 ClusterRoleBinding.
package struct ClusterRoleBinding: KubernetesObject {
    package static let resource = AccessControl.resource("clusterrolebindings", isNamespaced: false)
    package var apiVersion: String? = AccessControl.apiVersion
    package var kind: String? = "ClusterRoleBinding"
    package var metadata: ObjectMetadata
    package var roleRef: RoleReference
    package var subjects: [RoleSubject]?

    package init(_ metadata: ObjectMetadata, role name: String, subject: RoleSubject) {
        (self.metadata, roleRef, subjects) = (metadata, RoleReference(kind: "ClusterRole", name: name), [subject])
    }
}

/// rbac/v1 Role.
package struct Role: KubernetesObject {
    package static let resource = AccessControl.resource("roles", isNamespaced: true)
    package var apiVersion: String? = AccessControl.apiVersion
    package var kind: String? = "Role"
    package var metadata: ObjectMetadata
    package var rules: [PolicyRule]?

    package init(_ metadata: ObjectMetadata, rules: [PolicyRule]) { (self.metadata, self.rules) = (metadata, rules) }
}

/// rbac/v1 RoleBinding.
package struct RoleBinding: KubernetesObject {
    package static let resource = AccessControl.resource("rolebindings", isNamespaced: true)
    package var apiVersion: String? = AccessControl.apiVersion
    package var kind: String? = "RoleBinding"
    package var metadata: ObjectMetadata
    package var roleRef: RoleReference
    package var subjects: [RoleSubject]?

    package init(_ metadata: ObjectMetadata, role name: String, subject: RoleSubject) {
        (self.metadata, roleRef, subjects) = (metadata, RoleReference(kind: "Role", name: name), [subject])
    }
}

private enum AccessControl {
    static let apiVersion = "rbac.authorization.k8s.io/v1"

    static func resource(_ plural: String, isNamespaced: Bool) -> ResourceKind {
        ResourceKind(group: "rbac.authorization.k8s.io", plural: plural, isNamespaced: isNamespaced)
    }
}
