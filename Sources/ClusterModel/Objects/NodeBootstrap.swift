package import TendrilCore

/// The steps of a machine on its way to a node, in their order.
package enum BootstrapPhase: String, Codable, CaseIterable, Sendable {
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

    /// The resource's definition, valid from Kubernetes 1.16 on (apiextensions/v1).
    package static var definition: JSONValue {
        let text: JSONValue = ["type": "string", "maxLength": 1024]
        let number: JSONValue = ["type": "integer", "minimum": 0]
        let phase: JSONValue = ["type": "string", "enum": .array(BootstrapPhase.allCases.map { .string($0.rawValue) })]
        let timing: JSONValue = [
            "type": "object", "required": ["phase", "milliseconds"],
            "properties": ["phase": phase, "milliseconds": number],
        ]
        let status: JSONValue = [
            "type": "object", "required": ["phase"],
            "properties": [
                "phase": phase, "error": text, "attempts": number, "agentVersion": text, "appliedGeneration": number,
                "timings": ["type": "array", "maxItems": 32, "items": timing], "lastUpdateTime": text,
            ],
        ]
        let spec: JSONValue = [
            "type": "object", "required": ["pool"], "properties": ["pool": ["type": "string", "maxLength": 63]],
        ]
        func column(_ name: String, _ path: String, _ type: String) -> JSONValue {
            ["name": .string(name), "jsonPath": .string(path), "type": .string(type)]
        }
        return [
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": ["name": .string("\(resource.plural).\(resource.group)")],
            "spec": [
                "group": .string(resource.group),
                "scope": "Cluster",
                "names": [
                    "plural": .string(resource.plural), "singular": "nodebootstrap", "kind": "NodeBootstrap",
                    "shortNames": ["nb"],
                ],
                "versions": [
                    [
                        "name": .string(resource.version), "served": true, "storage": true,
                        "subresources": ["status": [:]],
                        "additionalPrinterColumns": [
                            column("Pool", ".spec.pool", "string"), column("Phase", ".status.phase", "string"),
                            column("Error", ".status.error", "string"),
                            column("Age", ".metadata.creationTimestamp", "date"),
                        ],
                        "schema": [
                            "openAPIV3Schema": ["type": "object", "properties": ["spec": spec, "status": status]]
                        ],
                    ]
                ],
            ],
        ]
    }
}
