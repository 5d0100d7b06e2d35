internal import ClusterModel
package import KubernetesClient
internal import LinuxSystem
package import Logging
package import ShootPlan
package import TendrilCore

/// Deletes the objects of a shoot by which something is in a cloud; what they stand for its owner's controllers take away.
package struct CloudCleaner {
    /// What may refuse a deletion; the last is there from Kubernetes 1.30 on.
    private static let gatekeepers = [
        "validatingwebhookconfigurations", "mutatingwebhookconfigurations", "validatingadmissionpolicybindings",
    ]
    private static let quota = "tendril-deletion"
    /// How long a pod has to end, in seconds.
    private static let grace = 30
    /// So many requests of each kind are sent in one round.
    package static let most = 100

    private let shoot: KubernetesClient
    private let logger: Logger
    /// The namespaces that have a quota.
    private var closed: Set<String> = []
    /// How many requests of this kind may still be sent in this round, and until when.
    private var (left, deadline) = (0, MonotonicTime(nanoseconds: 0))

    /// The round has sent as much as it may, or nobody is there to take more.
    private struct RoundOver: Error {}

    /// Takes the shoot's API.
    package init(_ shoot: KubernetesClient, _ logger: Logger) { (self.shoot, self.logger) = (shoot, logger) }

    /// What there is.
    package func look() async throws(APIError) -> CloudObjects {
        CloudObjects(
            try await shoot.list(KubernetesService.self).items,
            try await shoot.list(PersistentVolume.self).items,
            try await shoot.list(PersistentVolumeClaim.self).items
        )
    }

    /// Whether there is a node on which controllers can run.
    func hasNodes() async throws(APIError) -> Bool { try await shoot.list(Node.self).items.contains(where: \.isReady) }

    /// Has it begin to go, as much of it as one round may send; what fails is told in the log, and tried again in another round.
    ///
    /// Nothing new comes: whoever keeps a StatefulSet, say, would make its claims again at once. A pod that comes again is not
    /// given to a node while its claim is going, so that the volume is free all the same (Kubernetes documentation, "Storage
    /// Object in Use Protection").
    ///
    /// - Parameters:
    ///   - found: what there is.
    ///   - deadline: after which nothing more is sent; an API that does not answer, or asks for a pause, ends the round, too.
    /// - Throws: `CancellationError`.
    package mutating func clean(_ found: CloudObjects, until deadline: MonotonicTime) async throws {
        self.deadline = deadline
        do {
            try await clean(found)
        } catch is RoundOver {
            logger.info("the rest is cleaned up in another round")
        }
    }

    private mutating func clean(_ found: CloudObjects) async throws {
        left = Self.most
        for plural in Self.gatekeepers {
            let others = ResourceKind.encoded("\(Ownership.label)!=\(Ownership.manager)")
            try await delete("/apis/admissionregistration.k8s.io/v1/\(plural)?labelSelector=\(others)")
        }
        for namespace in found.namespaces.subtracting(closed).sorted().prefix(left) { try await close(namespace) }
        left = Self.most
        // In no order: those that cannot be deleted are not to keep the others from their turn.
        for service in found.services.shuffled() { try await delete(KubernetesService.self, service) }
        for claim in found.claims.shuffled() { try await delete(PersistentVolumeClaim.self, claim) }
        left = Self.most
        for namespace in Set(found.claims.compactMap(\.namespace)).shuffled() {
            try await endUsers(of: found, in: namespace)
        }
    }

    /// Forbids more load balancers and claims in a namespace (Kubernetes documentation, "Resource Quotas").
    private mutating func close(_ namespace: String) async throws {
        let quota: JSONValue = [
            "apiVersion": "v1", "kind": "ResourceQuota",
            "metadata": [
                "name": .string(Self.quota), "namespace": .string(namespace), "labels": Ownership.renderedLabels,
            ],
            "spec": ["hard": ["services.loadbalancers": "0", "persistentvolumeclaims": "0"]],
        ]
        try spend()
        do throws(APIError) {
            try await shoot.serverSideApply(quota, manager: Ownership.manager)
            closed.insert(namespace)
        } catch {
            try note(error)
        }
    }

    private mutating func endUsers(of found: CloudObjects, in namespace: String) async throws {
        try spend()
        var users: [Pod] = []
        do throws(APIError) {
            users = found.users(among: try await shoot.list(Pod.self, namespace: namespace).items, in: namespace)
        } catch {
            try note(error)
        }
        for pod in users { try await delete(Pod.self, pod.metadata, options: "?gracePeriodSeconds=\(Self.grace)") }
    }

    /// Deletes one that is not going yet.
    private mutating func delete<Object: KubernetesObject>(
        _ type: Object.Type,
        _ object: ObjectMetadata,
        options: String = ""
    ) async throws {
        guard let name = object.name, object.deletionTimestamp == nil else { return }
        try await delete(Object.resource.path(namespace: object.namespace, name: name) + options)
    }

    private mutating func delete(_ path: String) async throws {
        try spend()
        do throws(APIError) {
            try await shoot.deleteDocument(path)
        } catch {
            try note(error)
        }
    }

    /// Takes the place of one request, where there is one.
    private mutating func spend() throws {
        try Task.checkCancellation()
        guard left > 0, Clock.now() < deadline else { throw RoundOver() }
        left -= 1
    }

    private func note(_ error: APIError) throws {
        logger.info("cannot clean up yet", metadata: ["reason": "\(error)"])
        if error.isAbsence || error.code == 429 { throw RoundOver() }
    }
}
