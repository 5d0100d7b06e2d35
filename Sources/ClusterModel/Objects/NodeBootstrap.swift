/// The steps of a machine on its way to a node, in their order.
package enum BootstrapPhase: String, SchemaEnumeration {
    case preflight
    case trust
    case authenticate
    case identity
    case desiredState = "desired-state"
    case apply
    case kubelet
    case ready
    case cleanup
    /// All of them are done.
    case done
}

/// tendril.dev/v1alpha1 NodeBootstrap: the progress of one machine before its Node exists.
package struct NodeBootstrap: KubernetesObject {
    /// What the machine says of itself when it first comes.
    package struct Spec: Codable, Hashable, Sendable {
        package var pool: String

        package init(pool: String) { self.pool = pool }
    }
    /// When a phase was done.
    package struct Timing: Codable, Hashable, Sendable {
        package var phase: BootstrapPhase
        /// Milliseconds since the agent's first start on this machine.
        package var milliseconds: Int

        package init(_ phase: BootstrapPhase, milliseconds: Int) {
            (self.phase, self.milliseconds) = (phase, milliseconds)
        }
    }
    /// How far it is.
    package struct Status: Codable, Hashable, Sendable {
        package var phase: BootstrapPhase
        /// The cause of the last failure, in one line; absent while all is well.
        package var error: String?
        package var attempts: Int?
        package var agentVersion: String?
        package var appliedGeneration: Int?
        package var timings: [Timing]?
        package var lastUpdateTime: String?

        package init(phase: BootstrapPhase) { self.phase = phase }
    }

    package static let resource = ResourceKind(
        group: TendrilAPI.group,
        version: TendrilAPI.version,
        plural: "nodebootstraps",
        isNamespaced: false
    )
    package var apiVersion: String? = TendrilAPI.groupVersion
    package var kind: String? = "NodeBootstrap"
    package var metadata: ObjectMetadata
    package var spec: Spec?
    package var status: Status?

    package init(name: String, pool: String) {
        metadata = ObjectMetadata(name: name)
        spec = Spec(pool: pool)
    }

    /// The resource's definition.
    package static func definition() throws -> ResourceDefinition {
        ResourceDefinition(
            kind: "NodeBootstrap",
            resource: resource,
            shortNames: ["nb"],
            columns: [
                .init("Pool", ".spec.pool"), .init("Phase", ".status.phase"), .init("Error", ".status.error"),
            ],
            schema: try Schema(of: NodeBootstrap.self, rules: rules)
        )
    }

    private static let rules: [String: FieldRule] = [
        "spec.pool": FieldRule("The pool that the machine belongs to.", maximumCount: 63),
        "status.phase": FieldRule("The step that the machine is at."),
        "status.error": FieldRule("The cause of the last failure; absent while all is well.", maximumCount: 1024),
        "status.attempts": FieldRule("How often the step was tried.", minimum: 0),
        "status.agentVersion": FieldRule("The version of the agent.", maximumCount: 1024),
        "status.appliedGeneration": FieldRule("The generation of the configuration in force.", minimum: 0),
        "status.timings": FieldRule("When each step was done.", maximumCount: 32),
        "status.timings[].milliseconds": FieldRule("Since the agent's first start on this machine.", minimum: 0),
        "status.lastUpdateTime": FieldRule("When the machine last reported.", maximumCount: 64),
    ]
}
