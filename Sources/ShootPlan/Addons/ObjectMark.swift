internal import ClusterModel
package import TendrilCore

/// What tells whether an object is as it was left.
package enum ObjectMark {
    /// Kinds without a status, which nobody but their owner has a reason to write.
    private static let still: Set<String> = ["Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"]

    /// Keys of what kube-controller-manager writes into `cluster-info` for each bootstrap token and takes away with it
    /// (Kubernetes documentation, "Authenticating with Bootstrap Tokens").
    private static let signature = "jws-kubeconfig-"

    /// The mark of an object as the API server gives it.
    ///
    /// - Parameters:
    ///   - object: with its kind.
    ///   - digest: of bytes.
    /// - Returns: its generation, which counts changes of what is wanted of it (Kubernetes API conventions,
    ///   "Metadata"); of a ConfigMap a digest of what it holds; of what has neither and is not written by controllers
    ///   its version; `nil` for the others.
    package static func text(of object: JSONValue, digest: ([UInt8]) -> String) -> String? {
        if case .integer(let generation) = object["metadata"]?["generation"] { return "generation \(generation)" }
        guard let kind = object["kind"]?.text else { return nil }
        if kind == "ConfigMap" { return (try? CanonicalJSON.bytes(content(of: object))).map { "data \(digest($0))" } }
        guard still.contains(kind) else { return nil }
        return object["metadata"]?["resourceVersion"]?.text.map { "version \($0)" }
    }

    private static func content(of map: JSONValue) -> JSONValue {
        guard case .object(var fields) = map else { return map }
        if case .object(let data) = fields["data"] {
            fields["data"] = .object(data.filter { !$0.key.hasPrefix(signature) })
        }
        return .object(fields.filter { ["data", "binaryData", "immutable"].contains($0.key) })
    }
}
