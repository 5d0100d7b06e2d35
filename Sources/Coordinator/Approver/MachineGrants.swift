internal import ClusterModel
internal import KubernetesClient

/// What one agent may do, and with what: its own Node, its own progress, its own Lease, and nothing of any other.
enum MachineGrants {
    static func all(_ identity: MachineIdentity) -> [Grant] {
        let name = "tendril:agent:\(identity.machine)"
        let labels = TokenGrant.labels(pool: identity.pool)
        let own = [identity.machine]
        let subject = RoleSubject(user: identity.user)
        let lease = TendrilAPI.agentLease(machine: identity.machine)
        let metadata = ObjectMetadata(name: name, labels: labels)
        let local = ObjectMetadata(name: name, namespace: TendrilAPI.namespace, labels: labels)
        return [
            Grant(
                ClusterRole(
                    metadata,
                    rules: [
                        PolicyRule(["get", "patch"], ["nodes"], names: own),
                        PolicyRule(["patch"], ["nodes/status"], names: own),
                        PolicyRule(
                            ["get", "patch"],
                            ["nodebootstraps", "nodebootstraps/status"],
                            group: TendrilAPI.group,
                            names: own
                        ),
                    ]
                )
            ),
            Grant(ClusterRoleBinding(metadata, role: name, subject: subject)),
            Grant(
                Role(
                    local,
                    rules: [
                        PolicyRule(
                            ["get", "update", "patch"],
                            ["leases"],
                            group: "coordination.k8s.io",
                            names: [lease]
                        )
                    ]
                )
            ),
            Grant(RoleBinding(local, role: name, subject: subject)),
            Grant(
                Lease(
                    ObjectMetadata(name: lease, namespace: TendrilAPI.namespace, labels: labels),
                    spec: Lease.Spec(
                        holderIdentity: identity.machine,
                        leaseDurationSeconds: TendrilAPI.agentLeaseSeconds,
                        renewTime: nil
                    )
                )
            ),
        ]
    }
}

/// An object that has to be there while its machine is.
struct Grant: Sendable {
    private let put: @Sendable (KubernetesClient) async throws(APIError) -> Void
    private let take: @Sendable (KubernetesClient) async throws(APIError) -> Void

    init<Object: KubernetesObject>(_ object: Object) {
        put = { client async throws(APIError) in
            do throws(APIError) {
                try await client.create(object)
            } catch {
                // It says nothing that changes in a machine's life.
                guard error.isConflict else { throw error }
            }
        }
        take = { client async throws(APIError) in
            try await client.delete(Object.self, object.name, namespace: object.metadata.namespace)
        }
    }

    func apply(_ client: KubernetesClient) async throws(APIError) { try await put(client) }

    /// Removes it; nothing happens where it is gone.
    func remove(_ client: KubernetesClient) async throws(APIError) { try await take(client) }
}
