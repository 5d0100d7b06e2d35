/// What a person may ask for by the annotation `tendril.dev/operation`.
package enum ShootOperation: String, CaseIterable, Sendable {
    /// Everything is made as it is to be, whatever is remembered.
    case reconcile
    /// What failed is tried again now.
    case retry
    /// All CAs and keys get successors, which are believed and used besides them.
    case rotateStart = "rotate-start"
    /// The old CAs and keys are given up.
    case rotateComplete = "rotate-complete"
    /// Its etcd gets what a snapshot holds; the annotation `tendril.dev/snapshot` names it.
    case restore

    /// The reason of the Event that says that one was refused.
    package static let refusal = "OperationRefused"
}

/// The annotations by which people say what no field does.
package enum ShootAnnotation {
    /// A `ShootOperation`.
    package static let operation = "tendril.dev/operation"
    /// With `restore`: the snapshot's name, or `before` for the data of before the last restoration; the newest where it is missing.
    package static let snapshot = "tendril.dev/snapshot"
    /// `true` leaves the shoot as it is.
    package static let pause = "tendril.dev/pause"
    /// `true` allows the deletion.
    package static let confirmation = "confirmation.tendril.dev/deletion"
    /// For how many minutes a deletion waits for load balancers and volumes to go.
    package static let cleanUpMinutes = "tendril.dev/clean-up-minutes"
    /// Keeps a shoot until nothing is left of it.
    package static let finalizer = "tendril.dev/shoot"
}
