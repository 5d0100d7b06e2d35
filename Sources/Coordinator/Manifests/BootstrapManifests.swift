internal import ClusterModel
package import TendrilCore

/// What a shoot needs before its first machine comes, as typed values.
package enum BootstrapManifests {
    /// How many machines can hold leave to restart at the same time, at most.
    package static let restartLeases = 10

    /// All objects, in an order in which they can be made.
    ///
    /// - Parameter clusterInfo: the API server's URL and CA bundle, where machines are to trust by a pin.
    /// - Returns: JSON documents.
    /// - Throws: where a value cannot be encoded.
    package static func all(clusterInfo: (server: String, authority: [UInt8])?) throws -> [JSONValue] {
        var documents = [try NodeBootstrap.definition().document]
        documents += try [
            CanonicalJSON.value(tokenRole),
            CanonicalJSON.value(
                ClusterRoleBinding(
                    tokenRole.metadata,
                    role: tokenName,
                    subject: RoleSubject(group: BootstrapToken.group)
                )
            ),
            CanonicalJSON.value(agentRole),
            CanonicalJSON.value(
                ClusterRoleBinding(
                    agentRole.metadata,
                    role: agentName,
                    subject: RoleSubject(group: MachineIdentity.group)
                )
            ),
            CanonicalJSON.value(restartRole),
            CanonicalJSON.value(
                RoleBinding(restartRole.metadata, role: restartName, subject: RoleSubject(group: MachineIdentity.group))
            ),
        ]
        documents += try (0..<restartLeases).map { index in
            let metadata = ObjectMetadata(
                name: TendrilAPI.restartLease(index),
                namespace: TendrilAPI.namespace,
                labels: Ownership.labels
            )
            // Who holds it is no business of ours: it is made again while somebody restarts.
            let spec = Lease.Spec(
                holderIdentity: nil,
                leaseDurationSeconds: TendrilAPI.restartLeaseSeconds,
                renewTime: nil
            )
            return try CanonicalJSON.value(Lease(metadata, spec: spec))
        }
        if let clusterInfo { documents += try trust(clusterInfo.server, clusterInfo.authority) }
        return documents
    }

    private static let tokenName = "tendril:bootstrap-token"
    private static let agentName = "tendril:agents"
    private static let restartName = "tendril:restart-budget"

    /// What the bearer of a token may do: ask for one certificate, fetch it, and say how far it is.
    private static var tokenRole: ClusterRole {
        ClusterRole(
            ObjectMetadata(name: tokenName, labels: Ownership.labels),
            rules: [
                PolicyRule(["create", "get"], ["certificatesigningrequests"], group: "certificates.k8s.io"),
                PolicyRule(["create"], ["nodebootstraps"], group: TendrilAPI.group),
                PolicyRule(["patch"], ["nodebootstraps/status"], group: TendrilAPI.group),
            ]
        )
    }

    /// What every agent may do, besides what is granted to it alone.
    private static var agentRole: ClusterRole {
        ClusterRole(
            ObjectMetadata(name: agentName, labels: Ownership.labels),
            rules: [
                // A kubelet waits for its certificate by a watch; requests hold nothing that is secret.
                PolicyRule(
                    ["create", "get", "list", "watch"],
                    ["certificatesigningrequests"],
                    group: "certificates.k8s.io"
                ),
                PolicyRule(["create"], ["events"]),
            ]
        )
    }

    private static var restartRole: Role {
        let names = (0..<restartLeases).map(TendrilAPI.restartLease)
        return Role(
            ObjectMetadata(name: restartName, namespace: TendrilAPI.namespace, labels: Ownership.labels),
            rules: [PolicyRule(["get", "update"], ["leases"], group: "coordination.k8s.io", names: names)]
        )
    }

    /// kube-public/cluster-info, which everybody may read and kube-controller-manager signs with every token.
    private static func trust(_ server: String, _ authority: [UInt8]) throws -> [JSONValue] {
        let kubeconfig: JSONValue = [
            "apiVersion": "v1", "kind": "Config", "current-context": "", "contexts": [], "users": [],
            "preferences": [:],
            "clusters": [
                [
                    "name": "",
                    "cluster": [
                        "server": .string(server), "certificate-authority-data": .string(authority.base64),
                    ],
                ]
            ],
        ]
        let name = "cluster-info"
        let metadata = ObjectMetadata(name: name, namespace: "kube-public", labels: Ownership.labels)
        let roleMetadata = ObjectMetadata(
            name: "tendril:cluster-info",
            namespace: "kube-public",
            labels: Ownership.labels
        )
        return try [
            CanonicalJSON.value(ConfigMap(metadata, data: ["kubeconfig": try CanonicalJSON.text(kubeconfig)])),
            CanonicalJSON.value(Role(roleMetadata, rules: [PolicyRule(["get"], ["configmaps"], names: [name])])),
            CanonicalJSON.value(
                RoleBinding(
                    roleMetadata,
                    role: "tendril:cluster-info",
                    subject: RoleSubject(group: "system:unauthenticated")
                )
            ),
        ]
    }
}
