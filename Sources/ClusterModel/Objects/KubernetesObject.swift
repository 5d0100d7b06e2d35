/// A kind of object as the API serves it.
package struct ResourceKind: Hashable, Sendable {
    /// Empty for the core group.
    package let group: String
    package let version: String
    /// The plural name in URLs.
    package let plural: String
    package let isNamespaced: Bool

    package init(group: String = "", version: String = "v1", plural: String, isNamespaced: Bool) {
        (self.group, self.version, self.plural, self.isNamespaced) = (group, version, plural, isNamespaced)
    }

    /// The path of the collection, or of one object in it, such as `/api/v1/namespaces/kube-system/secrets/a`.
    package func path(namespace: String? = nil, name: String? = nil, subresource: String? = nil) -> String {
        var path = group.isEmpty ? "/api/\(version)" : "/apis/\(group)/\(version)"
        if isNamespaced, let namespace { path += "/namespaces/\(Self.encoded(namespace))" }
        path += "/\(plural)"
        if let name { path += "/\(Self.encoded(name))" }
        if let subresource { path += "/\(subresource)" }
        return path
    }

    /// A path segment or a query's value as RFC 3986 wants it.
    package static func encoded(_ text: String) -> String {
        text.utf8.map { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x7E: String(UnicodeScalar(byte))
            default: "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }.joined()
    }
}

/// An object of the Kubernetes API, reduced to the fields that are read or written here.
package protocol KubernetesObject: Codable, Sendable {
    static var resource: ResourceKind { get }
    var metadata: ObjectMetadata { get set }

    /// The object without what nobody here reads, so that it is small whoever wrote it; never to be written back.
    func lean() -> Self
}

extension KubernetesObject {
    /// Its name; empty for one that has none yet.
    package var name: String { metadata.name ?? "" }
}

extension Sequence where Element: KubernetesObject {
    /// Objects by their names; of several with one name the last.
    package var byName: [String: Element] { Dictionary(map { ($0.name, $0) }) { $1 } }
}

/// What every object has (meta/v1 ObjectMeta).
package struct ObjectMetadata: Codable, Hashable, Sendable {
    package var name: String?
    package var generateName: String?
    package var namespace: String?
    package var uid: String?
    package var resourceVersion: String?
    package var creationTimestamp: String?
    package var deletionTimestamp: String?
    package var deletionGracePeriodSeconds: Int?
    /// Grows with every change of what is wanted.
    package var generation: Int?
    package var finalizers: [String]?
    package var labels: [String: String]?
    package var annotations: [String: String]?
    package var ownerReferences: [OwnerReference]?

    package init(
        name: String? = nil,
        namespace: String? = nil,
        generateName: String? = nil,
        labels: [String: String]? = nil,
        annotations: [String: String]? = nil
    ) {
        (self.name, self.namespace, self.generateName) = (name, namespace, generateName)
        (self.labels, self.annotations) = (labels, annotations)
    }
}

/// Whose end is the end of an object too (meta/v1 OwnerReference).
package struct OwnerReference: Codable, Hashable, Sendable {
    package var apiVersion: String
    package var kind: String
    package var name: String
    package var uid: String
    package var controller: Bool?
    package var blockOwnerDeletion: Bool?

    package init(apiVersion: String, kind: String, name: String, uid: String) {
        (self.apiVersion, self.kind, self.name, self.uid) = (apiVersion, kind, name, uid)
    }
}

/// Where a watch may go on, and the next page's token.
package struct ListMetadata: Codable, Hashable, Sendable {
    package var resourceVersion: String?
    package var `continue`: String?
}

/// A page of a collection.
package struct ObjectList<Item: KubernetesObject>: Codable, Sendable {
    package var metadata: ListMetadata
    package var items: [Item]
}

/// What the API answers instead of an object (meta/v1 Status).
package struct APIStatus: Codable, Hashable, Sendable {
    /// More of the cause.
    package struct Details: Codable, Hashable, Sendable {
        package var retryAfterSeconds: Int?
    }

    package var status: String?
    package var message: String?
    package var reason: String?
    package var code: Int?
    package var details: Details?
    package var metadata: ListMetadata?

    package init() {}
}

/// A condition of an object's status.
package struct Condition: Codable, Hashable, Sendable {
    package var type: String
    /// `True`, `False` or `Unknown`.
    package var status: String
    package var reason: String?
    package var message: String?
    package var lastTransitionTime: String?
    package var lastHeartbeatTime: String?
    package var lastUpdateTime: String?

    package init(_ type: String, status: String, reason: String? = nil, message: String? = nil) {
        (self.type, self.status, self.reason, self.message) = (type, status, reason, message)
    }
}

extension [Condition] {
    /// The condition of a type, if there is one.
    package subscript(_ type: String) -> Condition? { first { $0.type == type } }
}
