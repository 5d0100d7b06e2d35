package import FoundationEssentials

/// core/v1 Secret.
package struct KubernetesSecret: KubernetesObject {
    package static let resource = ResourceKind(plural: "secrets", isNamespaced: true)
    package var apiVersion: String? = "v1"
    package var kind: String? = "Secret"
    package var metadata: ObjectMetadata
    package var type: String?
    package var data: [String: Data]?

    package init(_ metadata: ObjectMetadata, type: String? = nil, data: [String: [UInt8]]) {
        (self.metadata, self.type, self.data) = (metadata, type, data.mapValues { Data($0) })
    }

    /// The bytes under a key.
    package subscript(_ key: String) -> [UInt8]? { data?[key].map { Array($0) } }

    /// The text under a key.
    package func text(_ key: String) -> String? { self[key].map { String(decoding: $0, as: UTF8.self) } }
}

/// core/v1 ConfigMap.
package struct ConfigMap: KubernetesObject {
    package static let resource = ResourceKind(plural: "configmaps", isNamespaced: true)
    package var apiVersion: String? = "v1"
    package var kind: String? = "ConfigMap"
    package var metadata: ObjectMetadata
    package var data: [String: String]?

    package init(_ metadata: ObjectMetadata, data: [String: String]) { (self.metadata, self.data) = (metadata, data) }
}
