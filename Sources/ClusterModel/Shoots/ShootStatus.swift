package import TendrilCore

/// What has become of a shoot.
package struct ShootStatus: Codable, Hashable, Sendable {
    /// What is being done, or was done last.
    package struct Operation: Codable, Hashable, Sendable {
        package var type: OperationType
        package var state: OperationState
        /// In percent.
        package var progress: Int
        package var description: String
        package var lastUpdateTime: String
        /// The generation of the Shoot that it is about.
        package var generation: Int?
    }

    /// Kinds of operations.
    package enum OperationType: String, SchemaEnumeration {
        case create = "Create"
        case reconcile = "Reconcile"
        case hibernate = "Hibernate"
        case delete = "Delete"
        case rotate = "RotateCredentials"
        case restore = "Restore"
    }

    /// A copy of what its etcd held, as it stands in the seed's bucket.
    package struct Snapshot: Codable, Hashable, Sendable {
        /// The last part of its key, without the extension.
        package var name: String
        package var time: String
        /// In bytes.
        package var size: Int

        package init(name: String, time: String, size: Int) { (self.name, self.time, self.size) = (name, time, size) }
    }

    /// How far its etcd is on the way back to what a snapshot holds.
    package struct Restoration: Codable, Hashable, Sendable {
        package var snapshot: String
        package var phase: RestorationPhase
        package var startTime: String
        package var completionTime: String?
        /// Why it failed.
        package var message: String?
        /// Whether it has failed, and the control plane has yet to start with the data of before; `nil` where not.
        package var isStopped: Bool?

        package init(
            snapshot: String,
            phase: RestorationPhase,
            startTime: String,
            completionTime: String? = nil,
            message: String? = nil,
            isStopped: Bool? = nil
        ) {
            (self.snapshot, self.phase, self.startTime) = (snapshot, phase, startTime)
            (self.completionTime, self.message, self.isStopped) = (completionTime, message, isStopped)
        }
    }

    /// How far the exchange of all CAs and keys is.
    package struct CredentialRotation: Codable, Hashable, Sendable {
        package var phase: RotationPhase
        package var startTime: String?
        package var completionTime: String?

        package init(phase: RotationPhase, startTime: String?, completionTime: String?) {
            (self.phase, self.startTime, self.completionTime) = (phase, startTime, completionTime)
        }
    }

    /// How far an operation is.
    package enum OperationState: String, SchemaEnumeration {
        case pending = "Pending"
        case processing = "Processing"
        case succeeded = "Succeeded"
        /// It is tried again.
        case error = "Error"
        /// It is not tried again before something changes.
        case failed = "Failed"
    }

    /// Why a task is not done.
    package struct TaskError: Codable, Hashable, Sendable {
        /// Stands for a task where something kept all of them from beginning.
        package static let preparation = "prepare"
        /// The task that comes before all others; where it fails from the beginning the namespace may be somebody else's.
        package static let namespace = "namespace"

        package var task: String
        package var code: ErrorCode
        package var description: String
        package var lastUpdateTime: String

        package init(task: String, code: ErrorCode, description: String, lastUpdateTime: String) {
            (self.task, self.code) = (task, code)
            (self.description, self.lastUpdateTime) = (description, lastUpdateTime)
        }
    }

    /// What kind of failure it was.
    package enum ErrorCode: String, SchemaEnumeration {
        /// The owner's configuration has to change first.
        case configuration = "ERR_CONFIGURATION_PROBLEM"
        /// The provider does not believe the credentials.
        case unauthenticated = "ERR_INFRA_UNAUTHENTICATED"
        /// The provider believes them and refuses.
        case unauthorized = "ERR_INFRA_UNAUTHORIZED"
        case quota = "ERR_INFRA_QUOTA_EXCEEDED"
        case rateLimit = "ERR_INFRA_RATE_LIMITS_EXCEEDED"
        /// The provider has nothing left of this kind.
        case depleted = "ERR_INFRA_RESOURCES_DEPLETED"
        /// Something in the cloud that is not ours stands in the way.
        case dependencies = "ERR_INFRA_DEPENDENCIES"
        /// Objects in the shoot do not go away.
        case cleanUp = "ERR_CLEANUP_CLUSTER_RESOURCES"
        /// No seed takes it for now.
        case unscheduled = "ERR_UNSCHEDULED"
        /// A snapshot could not be put in the place of the data, which stays.
        case restore = "ERR_RESTORE"
        /// Something of ours was removed by others; it is made again.
        case removed = "ERR_REMOVED"
        /// It has not come yet.
        case timeout = "ERR_TIMEOUT"
        /// An API server does not answer as it should.
        case api = "ERR_API"
        case unknown = "ERR_UNKNOWN"

        /// Whether waiting cannot help.
        package var isFinal: Bool { self == .configuration }
    }

    /// Where something of the shoot is reached.
    package struct Address: Codable, Hashable, Sendable {
        package var name: String
        package var url: String

        package init(name: String, url: String) { (self.name, self.url) = (name, url) }
    }

    package var observedGeneration: Int?
    package var technicalID: String?
    package var seedName: String?
    /// The release that the control plane runs.
    package var kubernetesVersion: String?
    package var isHibernated: Bool?
    package var conditions: [Condition]?
    package var lastOperation: Operation?
    package var lastErrors: [TaskError]?
    package var advertisedAddresses: [Address]?
    package var credentialRotation: CredentialRotation?
    /// The newest ones, the last first.
    package var snapshots: [Snapshot]?
    package var restoration: Restoration?
    /// What the provider says of its resources.
    package var infrastructure: JSONValue?

    package init() {}

    /// Whether a coordinator does what a generation wants, or has tried to.
    func isAtWork(on generation: Int) -> Bool {
        guard let last = lastOperation, last.generation == generation else { return false }
        switch last.state {
        case .processing, .succeeded: return true
        case .error, .failed: return lastErrors?.contains(where: isBeforeAll) == false
        case .pending: return false
        }
    }

    /// Whether something kept the last flow from beginning, which is tried again.
    var couldNotBegin: Bool {
        lastOperation?.state == .error && lastErrors?.contains { $0.task == TaskError.preparation } == true
    }

    /// Whether a failure kept everything from beginning.
    private func isBeforeAll(_ error: TaskError) -> Bool {
        error.task == TaskError.preparation || error.task == TaskError.namespace && observedGeneration == nil
    }
}

/// How far an exchange of credentials is, for people.
package enum RotationPhase: String, SchemaEnumeration {
    /// New ones are made, and everything and every node comes to use them.
    case preparing = "Preparing"
    /// It waits for people to take new kubeconfigs and to complete it.
    case prepared = "Prepared"
    /// The old ones are given up.
    case completing = "Completing"
    case completed = "Completed"
}

/// How far a restoration is, for people.
package enum RestorationPhase: String, SchemaEnumeration {
    /// The control plane stops, and the snapshot takes the place of the data.
    case replacing = "Replacing"
    /// All of it starts again with what the snapshot held.
    case starting = "Starting"
    case completed = "Completed"
    /// The data of before is there still.
    case failed = "Failed"

    /// Whether nothing more comes of it.
    package var isOver: Bool { self == .completed || self == .failed }
}

/// The conditions of a shoot.
package enum ShootCondition: String, CaseIterable, Sendable {
    case apiServerAvailable = "APIServerAvailable"
    case controlPlaneHealthy = "ControlPlaneHealthy"
    case everyNodeReady = "EveryNodeReady"
    case systemComponentsHealthy = "SystemComponentsHealthy"

    /// The type of one more, which is there only where it is true: CAs end soon.
    package static let authoritiesExpire = "AuthoritiesExpire"

    /// The type of another one, only of a shoot that is being deleted: what its objects had in a cloud may stay there.
    package static let cloudObjectsLeft = "CloudObjectsLeft"

    /// Those that are bad where they are true.
    package static let warnings: Set = [authoritiesExpire, cloudObjectsLeft]
}
