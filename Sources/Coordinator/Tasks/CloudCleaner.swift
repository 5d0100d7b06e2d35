internal import ClusterModel
internal import KubernetesClient
internal import Logging
internal import ShootPlan
internal import TendrilCore

/// Deletes the objects of a shoot by which something is in a cloud; what they stand for its owner's controllers take away.
struct CloudCleaner {
    /// What may refuse a deletion; the last is there from Kubernetes 1.30 on.
    private static let gatekeepers = [
        "validatingwebhookconfigurations", "mutatingwebhookconfigurations", "validatingadmissionpolicybindings",
    ]
    private static let quota = "tendril-deletion"
    /// How long a pod has to end, in seconds.
    private static let grace = 30

    private let shoot: KubernetesClient
    private let logger: Logger
    /// The namespaces that have a quota.
    private var closed: Set<String> = []

    /// Takes the shoot's API.
    init(_ shoot: KubernetesClient, _ logger: Logger) { (self.shoot, self.logger) = (shoot, logger) }

    /// What there is.
    func look() async throws(APIError) -> CloudObjects {
        CloudObjects(
            try await shoot.list(KubernetesService.self).items,
            try await shoot.list(PersistentVolume.self).items,
            try await shoot.list(PersistentVolumeClaim.self).items
        )
    }

    /// Whether there is a node on which controllers can run.
    func hasNodes() async throws(APIError) -> Bool { try await shoot.list(Node.self).items.contains(where: \.isReady) }

    /// Has all of it begin to go; what fails is told in the log, and tried again the next time.
    ///
    /// Nothing new comes: whoever keeps a StatefulSet, say, would make its claims again at once. A pod that comes again is not
    /// given to a node while its claim is going, so that the volume is free all the same (Kubernetes documentation, "Storage
    /// Object in Use Protection").
    mutating func clean(_ found: CloudObjects) async {
        for plural in Self.gatekeepers {
            let others = ResourceKind.encoded("\(Ownership.label)!=\(Ownership.manager)")
            await delete("/apis/admissionregistration.k8s.io/v1/\(plural)?labelSelector=\(others)")
        }
        for namespace in found.namespaces.subtracting(closed).sorted() { await close(namespace) }
        for service in found.services { await delete(KubernetesService.self, service) }
        for claim in found.claims { await delete(PersistentVolumeClaim.self, claim) }
        for namespace in Set(found.claims.compactMap(\.namespace)).sorted() { await endUsers(of: found, in: namespace) }
    }

    /// Forbids more load balancers and claims in a namespace (Kubernetes documentation, "Resource Quotas").
    private mutating func close(_ namespace: String) async {
        let quota: JSONValue = [
            "apiVersion": "v1", "kind": "ResourceQuota",
            "metadata": [
                "name": .string(Self.quota), "namespace": .string(namespace), "labels": Ownership.renderedLabels,
            ],
            "spec": ["hard": ["services.loadbalancers": "0", "persistentvolumeclaims": "0"]],
        ]
        do throws(APIError) {
            try await shoot.serverSideApply(quota, manager: Ownership.manager)
            closed.insert(namespace)
        } catch {
            note(error)
        }
    }

    private func endUsers(of found: CloudObjects, in namespace: String) async {
        do throws(APIError) {
            let pods = try await shoot.list(Pod.self, namespace: namespace).items
            for pod in found.users(among: pods, in: namespace) {
                await delete(Pod.self, pod.metadata, options: "?gracePeriodSeconds=\(Self.grace)")
            }
        } catch {
            note(error)
        }
    }

    /// Deletes one that is not going yet.
    private func delete<Object: KubernetesObject>(
        _ type: Object.Type,
        _ object: ObjectMetadata,
        options: String = ""
    ) async {
        guard let name = object.name, object.deletionTimestamp == nil else { return }
        await delete(Object.resource.path(namespace: object.namespace, name: name) + options)
    }

    private func delete(_ path: String) async {
        do throws(APIError) {
            try await shoot.deleteDocument(path)
        } catch {
            note(error)
        }
    }

    private func note(_ error: APIError) { logger.info("cannot clean up yet", metadata: ["reason": "\(error)"]) }
}
