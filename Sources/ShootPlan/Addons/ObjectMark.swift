package import TendrilCore

/// What tells whether an object is as it was left.
package enum ObjectMark {
    /// Kinds without a status, which nobody but their owner has a reason to write.
    private static let still: Set<String> = ["ConfigMap", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"]

    /// The mark of an object as the API server gives it.
    ///
    /// - Parameter object: with its kind.
    /// - Returns: its generation, which counts changes of what is wanted of it (Kubernetes API conventions,
    ///   "Metadata"); of what has none and is not written by controllers its version; `nil` for the others.
    package static func text(of object: JSONValue) -> String? {
        if case .integer(let generation) = object["metadata"]?["generation"] { return "generation \(generation)" }
        guard let kind = object["kind"]?.text, still.contains(kind) else { return nil }
        return object["metadata"]?["resourceVersion"]?.text.map { "version \($0)" }
    }
}
