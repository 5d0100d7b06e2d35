/// Names of our API group, and of the objects by which agents and coordinator meet.
package enum TendrilAPI {
    package static let group = "tendril.dev"
    package static let version = "v1alpha1"
    package static let groupVersion = "tendril.dev/v1alpha1"
    /// The namespace of everything that nodes read and write.
    package static let namespace = "kube-system"

    /// The ConfigMap that says which Secret holds a pool's configuration.
    package static func pointer(pool: String) -> String { "tendril-node-\(pool)" }
    /// The pointer's key under which the Secret's name stands.
    package static let pointerKey = "secret"
    /// The Secret's key of the document.
    package static let documentKey = "node.json"
    /// The Secret's key of the signatures, one in base64 a line.
    package static let signatureKey = "signature"

    /// The annotation by which a node says which generation is in force on it.
    package static let generationAnnotation = "tendril.dev/applied-generation"

    /// The annotation by which a node says of which class its machine is: what it has from its start for good.
    package static let classAnnotation = "tendril.dev/machine-class"
    /// The annotation of a node whose pods are moved elsewhere, for its machine is replaced.
    package static let replacementAnnotation = "tendril.dev/replacing"

    /// For how long an agent's Lease says that it lives, in seconds; it is renewed four times meanwhile.
    package static let agentLeaseSeconds = 60
    /// The Lease that a machine's agent renews.
    package static func agentLease(machine: String) -> String { "tendril-agent-\(machine)" }
    /// One of the Leases of which a machine holds one while it restarts what pods depend on.
    package static func restartLease(_ index: Int) -> String { "tendril-restart-\(index)" }
    /// How long a machine may hold one without renewing it, in seconds.
    package static let restartLeaseSeconds = 900
}
