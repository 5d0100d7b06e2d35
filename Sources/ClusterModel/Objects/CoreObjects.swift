package import FoundationEssentials

/// core/v1 Secret.
package struct KubernetesSecret: KubernetesObject {
    package static let resource = ResourceKind(plural: "secrets", isNamespaced: true)
    package var apiVersion: String? = "v1"
    package var kind: String? = "Secret"
    package var metadata: ObjectMetadata
    package var type: String?
    package var data: [String: Data]?

    package init(_ metadata: ObjectMetadata, type: String? = nil, data: [String: [UInt8]]) {
        (self.metadata, self.type, self.data) = (metadata, type, data.mapValues { Data($0) })
    }

    /// The bytes under a key.
    package subscript(_ key: String) -> [UInt8]? { data?[key].map { Array($0) } }

    /// The text under a key.
    package func text(_ key: String) -> String? { self[key].map { String(decoding: $0, as: UTF8.self) } }
}

/// core/v1 ConfigMap.
package struct ConfigMap: KubernetesObject {
    package static let resource = ResourceKind(plural: "configmaps", isNamespaced: true)
    package var apiVersion: String? = "v1"
    package var kind: String? = "ConfigMap"
    package var metadata: ObjectMetadata
    package var data: [String: String]?

    package init(_ metadata: ObjectMetadata, data: [String: String]) { (self.metadata, self.data) = (metadata, data) }
}

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

/// core/v1 Pod.
package struct Pod: KubernetesObject {
    /// The claim that a volume is of (core/v1 PersistentVolumeClaimVolumeSource).
    package struct ClaimSource: Codable, Hashable, Sendable {
        package var claimName: String?
    }
    /// A claim that comes and goes with the pod (core/v1 EphemeralVolumeSource); nothing of it is read.
    package struct EphemeralSource: Codable, Hashable, Sendable {}
    /// One of its volumes.
    package struct Volume: Codable, Hashable, Sendable {
        package var name: String
        package var persistentVolumeClaim: ClaimSource?
        package var ephemeral: EphemeralSource?
    }
    /// What is wanted of it.
    package struct Spec: Codable, Hashable, Sendable {
        package var nodeName: String?
        package var volumes: [Volume]?
    }
    /// What is seen of it.
    package struct Status: Codable, Hashable, Sendable {
        package var phase: String?
    }

    package static let resource = ResourceKind(plural: "pods", isNamespaced: true)
    package var apiVersion: String? = "v1"
    package var kind: String? = "Pod"
    package var metadata: ObjectMetadata
    package var spec: Spec?
    package var status: Status?

    /// Whether it has to leave before its node's machine ends: it still runs, and belongs to no single node.
    ///
    /// Pods of DaemonSets would come back at once, and static pods live in files of the node (Kubernetes documentation,
    /// "Safely Drain a Node").
    package var hasToLeave: Bool {
        let isStatic = metadata.annotations?["kubernetes.io/config.mirror"] != nil
        let isOfNode = metadata.ownerReferences?.contains { $0.kind == "DaemonSet" } ?? false
        return !isStatic && !isOfNode && !["Succeeded", "Failed"].contains(status?.phase)
    }

    /// The names of the claims that it uses, all in its own namespace; one that comes and goes with it has its name in front
    /// (Kubernetes documentation, "Ephemeral Volumes").
    package var claims: [String] {
        (spec?.volumes ?? []).compactMap { volume in
            volume.persistentVolumeClaim?.claimName ?? volume.ephemeral.map { _ in "\(name)-\(volume.name)" }
        }
    }
}

/// core/v1 Event.
package struct Event: KubernetesObject {
    /// What the event is about.
    package struct Reference: Codable, Hashable, Sendable {
        package var apiVersion: String?
        package var kind: String
        package var name: String
        package var namespace: String?
        package var uid: String?

        package init(
            apiVersion: String? = nil,
            kind: String,
            name: String,
            namespace: String? = nil,
            uid: String? = nil
        ) {
            (self.apiVersion, self.kind, self.name) = (apiVersion, kind, name)
            (self.namespace, self.uid) = (namespace, uid)
        }
    }
    /// Who reports.
    package struct Source: Codable, Hashable, Sendable {
        package var component: String
        package var host: String?

        package init(component: String, host: String? = nil) { (self.component, self.host) = (component, host) }
    }

    package static let resource = ResourceKind(plural: "events", isNamespaced: true)
    package var apiVersion: String? = "v1"
    package var kind: String? = "Event"
    package var metadata: ObjectMetadata
    package var involvedObject: Reference
    package var reason: String
    package var message: String
    /// `Normal` or `Warning`.
    package var type: String
    package var source: Source
    package var firstTimestamp: String?
    package var lastTimestamp: String?
    package var count: Int?

    package init(
        _ reason: String,
        _ message: String,
        isWarning: Bool,
        about object: Reference,
        from source: Source,
        at time: UInt64
    ) {
        metadata = ObjectMetadata(
            namespace: object.namespace ?? "default",
            generateName: "\(object.name.lowercased())."
        )
        (involvedObject, self.reason, self.source) = (object, reason, source)
        // The API takes at most 1 KiB.
        self.message = String(message.prefix(1000))
        type = isWarning ? "Warning" : "Normal"
        let moment = KubernetesTime.text(seconds: time)
        (firstTimestamp, lastTimestamp, count) = (moment, moment, 1)
    }
}

/// coordination/v1 Lease.
package struct Lease: KubernetesObject {
    /// Who holds it until when.
    package struct Spec: Codable, Hashable, Sendable {
        package var holderIdentity: String?
        package var leaseDurationSeconds: Int?
        package var acquireTime: String?
        package var renewTime: String?
        package var leaseTransitions: Int?

        package init(holderIdentity: String?, leaseDurationSeconds: Int, renewTime: String?) {
            (self.holderIdentity, self.leaseDurationSeconds) = (holderIdentity, leaseDurationSeconds)
            self.renewTime = renewTime
        }
    }

    package static let resource = ResourceKind(
        group: "coordination.k8s.io",
        plural: "leases",
        isNamespaced: true
    )
    package var apiVersion: String? = "coordination.k8s.io/v1"
    package var kind: String? = "Lease"
    package var metadata: ObjectMetadata
    package var spec: Spec?

    package init(_ metadata: ObjectMetadata, spec: Spec) { (self.metadata, self.spec) = (metadata, spec) }
}

/// certificates/v1 CertificateSigningRequest.
package struct CertificateSigningRequest: KubernetesObject {
    /// What is asked for.
    package struct Spec: Codable, Hashable, Sendable {
        package var request: Data
        package var signerName: String
        package var usages: [String]
        package var username: String?
        package var groups: [String]?
        package var uid: String?
        package var expirationSeconds: Int?

        package init(request: [UInt8], signerName: String, usages: [String]) {
            (self.request, self.signerName, self.usages) = (Data(request), signerName, usages)
        }
    }
    /// What came of it.
    package struct Status: Codable, Hashable, Sendable {
        package var conditions: [Condition]?
        package var certificate: Data?

        package init(conditions: [Condition]? = nil, certificate: Data? = nil) {
            (self.conditions, self.certificate) = (conditions, certificate)
        }
    }

    package static let resource = ResourceKind(
        group: "certificates.k8s.io",
        plural: "certificatesigningrequests",
        isNamespaced: false
    )
    package var apiVersion: String? = "certificates.k8s.io/v1"
    package var kind: String? = "CertificateSigningRequest"
    package var metadata: ObjectMetadata
    package var spec: Spec
    package var status: Status?

    package init(_ metadata: ObjectMetadata, spec: Spec) { (self.metadata, self.spec) = (metadata, spec) }

    /// The condition of this type, if it is there.
    package func condition(_ type: String) -> Condition? { status?.conditions?[type] }
}
