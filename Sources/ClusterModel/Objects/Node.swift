/// core/v1 Node.
package struct Node: KubernetesObject {
    /// What is wanted of it.
    package struct Spec: Codable, Hashable, Sendable {
        package var unschedulable: Bool?
        package var taints: [Taint]?
        package var podCIDR: String?
        /// The same with the other family's, where there are two (Kubernetes documentation, "IPv4/IPv6 dual-stack").
        package var podCIDRs: [String]?
        package var providerID: String?
    }
    /// A mark that keeps pods away.
    package struct Taint: Codable, Hashable, Sendable {
        /// What `effect` may be.
        package static let effects = ["NoSchedule", "PreferNoSchedule", "NoExecute"]

        package var key: String
        package var value: String?
        /// One of `effects`.
        package var effect: String

        package init(key: String, value: String? = nil, effect: String) {
            (self.key, self.value, self.effect) = (key, value, effect)
        }

        /// What makes it the same taint as another: `key:effect`.
        package var mark: String { "\(key):\(effect)" }

        /// The first of all that have the same mark: no Node has two of them (kube-apiserver, validation of Nodes).
        package static func distinct(_ taints: [Self]) -> [Self] {
            var seen: Set<String> = []
            return taints.filter { seen.insert($0.mark).inserted }
        }

        /// The taints that a Node is to have.
        ///
        /// - Parameters:
        ///   - present: those that it has, whoever set them.
        ///   - known: the marks of those that were set for its configuration before; `nil` where its kubelet has just
        ///     registered it with them.
        ///   - wanted: those of its configuration. One that was set before and is gone was removed by somebody whose
        ///     business that is, such as a cloud controller that initialises nodes; it does not come back.
        /// - Returns: all of them, those that stay in their order.
        package static func merged(present: [Self], known: Set<String>?, wanted: [Self]) -> [Self] {
            let wantedMarks = Set(wanted.map(\.mark))
            let gone = (known ?? []).subtracting(wantedMarks)
            let kept = present.filter { !gone.contains($0.mark) }.map { old in
                wanted.first { $0.mark == old.mark && known != nil } ?? old
            }
            let new = wanted.filter { taint in
                !kept.contains { $0.mark == taint.mark } && known.map { !$0.contains(taint.mark) } ?? false
            }
            return kept + new
        }
    }
    /// One of its addresses.
    package struct Address: Codable, Hashable, Sendable {
        package var type: String
        package var address: String
    }
    /// Its programs.
    package struct Info: Codable, Hashable, Sendable {
        package var kubeletVersion: String?
        package var bootID: String?
    }
    /// What is seen of it.
    package struct Status: Codable, Hashable, Sendable {
        package var addresses: [Address]?
        package var conditions: [Condition]?
        package var nodeInfo: Info?
    }

    package static let resource = ResourceKind(plural: "nodes", isNamespaced: false)
    package var apiVersion: String? = "v1"
    package var kind: String? = "Node"
    package var metadata: ObjectMetadata
    package var spec: Spec?
    package var status: Status?

    /// Whether the condition Ready is true.
    package var isReady: Bool { condition("Ready")?.status == "True" }

    /// Whether its kubelet said that it is ready at a moment, in seconds since 1970, or later.
    ///
    /// What a kubelet said stands for some time after it has fallen silent.
    package func isReady(since moment: UInt64) -> Bool {
        let heard = condition("Ready")?.lastHeartbeatTime.flatMap(KubernetesTime.seconds) ?? 0
        return isReady && heard >= moment
    }

    /// One of its conditions.
    package func condition(_ type: String) -> Condition? { status?.conditions?[type] }

    /// The pool that its machine belongs to; `nil` for one that is not ours.
    package var pool: String? { metadata.labels?[TokenGrant.poolLabel] }

    /// The generation of its configuration that is in force on it, as its agent says.
    package var appliedGeneration: Int? {
        metadata.annotations?[TendrilAPI.generationAnnotation].flatMap { Int($0) }
    }

    /// Of which class its machine is, as its agent says.
    package var machineClass: String? { metadata.annotations?[TendrilAPI.classAnnotation] }

    /// Whether its pods are moved elsewhere, for its machine is replaced.
    package var isBeingReplaced: Bool { metadata.annotations?[TendrilAPI.replacementAnnotation] != nil }

    /// Whether it is being emptied or removed, so that nothing on it is worth a restart.
    package var isLeaving: Bool {
        metadata.deletionTimestamp != nil || spec?.unschedulable == true
            || spec?.taints?.contains { $0.key == "ToBeDeletedByClusterAutoscaler" } == true
    }
}
