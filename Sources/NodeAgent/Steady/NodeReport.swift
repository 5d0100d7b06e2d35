internal import ClusterModel
internal import FoundationEssentials
internal import KubernetesClient
internal import LinuxSystem
internal import Logging
internal import TendrilCore

/// What an agent writes to its Node, and the events that it tells.
struct NodeReport: Sendable {
    static let checksumAnnotation = "tendril.dev/applied-checksum"
    static let kubeletAnnotation = "tendril.dev/kubelet-version"
    /// The keys of the labels that the configuration set, so that they can be removed with it.
    static let labelsAnnotation = "tendril.dev/labels"
    /// The taints that the configuration set, as `key:effect`, so that they can be removed with it.
    static let taintsAnnotation = "tendril.dev/taints"
    /// A comma-separated list of units; the agent restarts them and removes the annotation.
    static let restartAnnotation = "tendril.dev/restart-units"

    let client: KubernetesClient
    let machine: String
    let machineClass: String?
    let logger: Logger

    /// Tells what is in force, in one patch, and makes the Node's labels and taints those of the configuration: a kubelet
    /// sets them only when it registers.
    func tellApplied(
        _ configuration: SignedConfiguration,
        kubelet: String,
        labels: [String: String],
        taints: [Node.Taint],
        on node: Node
    ) async throws(APIError) {
        let ours = labels.keys.sorted().joined(separator: ",")
        var annotations: [String: JSONValue] = [
            TendrilAPI.generationAnnotation: .string("\(configuration.generation)"),
            Self.checksumAnnotation: .string(configuration.checksum),
            Self.kubeletAnnotation: .string(kubelet),
            Self.labelsAnnotation: .string(ours),
            Self.taintsAnnotation: .string(taints.map(\.mark).sorted().joined(separator: ",")),
        ]
        if let machineClass { annotations[TendrilAPI.classAnnotation] = .string(machineClass) }
        let before = node.metadata.annotations?[Self.labelsAnnotation]?.split(separator: ",").map(String.init) ?? []
        var changes = labels.mapValues { JSONValue.string($0) }
        for gone in before where changes[gone] == nil { changes[gone] = .null }
        var metadata: [String: JSONValue] = ["annotations": .object(annotations), "labels": .object(changes)]
        var patch: [String: JSONValue] = [:]
        let known = node.metadata.annotations?[Self.taintsAnnotation]?.split(separator: ",").map(String.init)
        let present = node.spec?.taints ?? []
        let wanted = Node.Taint.merged(present: present, known: known.map(Set.init), wanted: taints)
        if wanted != present {
            // The list goes as a whole; who changed it meanwhile makes this a conflict, and a later attempt.
            metadata["resourceVersion"] = node.metadata.resourceVersion.map { .string($0) }
            do {
                patch["spec"] = ["taints": .array(try wanted.map { try CanonicalJSON.value($0) })]
            } catch {
                throw .unsent(request: "encode taints", reason: "\(error)")
            }
        }
        patch["metadata"] = .object(metadata)
        try await client.patch(Node.self, machine, .object(patch))
    }

    /// Removes the wish for restarts.
    func clearRestart() async throws(APIError) {
        try await client.patch(
            Node.self,
            machine,
            ["metadata": ["annotations": .object([Self.restartAnnotation: .null])]]
        )
    }

    /// Sets a condition of the Node; whether that was done.
    func tell(_ condition: Condition) async -> Bool {
        var condition = condition
        let now = KubernetesTime.text(seconds: Clock.unixTime())
        condition.lastHeartbeatTime = now
        condition.lastTransitionTime = now
        do {
            let value = try CanonicalJSON.value(condition)
            try await client.patch(
                Node.self,
                machine,
                subresource: "status",
                kind: .strategic,
                ["status": ["conditions": [value]]]
            )
            return true
        } catch {
            logger.debug("cannot set a condition", metadata: ["condition": "\(condition.type)", "reason": "\(error)"])
            return false
        }
    }

    /// Tells an event about the Node.
    func event(_ reason: String, _ message: String, isWarning: Bool) async {
        let event = Event(
            reason,
            message,
            isWarning: isWarning,
            about: Event.Reference(apiVersion: "v1", kind: "Node", name: machine, uid: machine),
            from: Event.Source(component: "tendril-agent", host: machine),
            at: Clock.unixTime()
        )
        do throws(APIError) {
            try await client.create(event)
        } catch {
            logger.debug("cannot tell an event", metadata: ["event": "\(reason)", "reason": "\(error)"])
        }
    }
}
