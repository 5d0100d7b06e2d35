package import TendrilCore

/// As whose the coordinator's objects are known, in seeds, shoots and the garden.
///
/// Source: Kubernetes documentation, "Recommended Labels" and "Server-Side Apply".
package enum Ownership {
    /// As whom the coordinator owns fields, tells events, and labels objects.
    package static let manager = "tendril-coordinator"
    /// By this label what is ours is told from what others have made under the same name.
    package static let label = "app.kubernetes.io/managed-by"
    /// What is ours, and nothing else.
    package static let selector = "\(label)=\(manager)"
    /// The label as objects carry it, for typed values and for rendered ones.
    package static let labels = [label: manager]
    package static let renderedLabels: JSONValue = [label: .string(manager)]
    /// The annotation of a shoot's namespace with the UID of its Shoot: a later one may have the same name.
    package static let shootUID = "tendril.dev/shoot-uid"
}
