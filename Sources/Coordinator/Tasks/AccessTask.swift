internal import ClusterModel
internal import KubernetesClient
internal import ShootPlan
internal import TendrilCore

/// What people come with: a kubeconfig of short life beside the Shoot.
enum AccessTask {
    /// What was renewed by itself.
    struct Renewed: Codable, Sendable {
        /// When it has to be renewed again, in seconds since 1970.
        var renewal: UInt64
    }

    static func make(_ work: ShootWork, after: [String]) -> ShootTask {
        ShootTask(
            name: TaskName.access,
            title: "Handing out the kubeconfig",
            after: after,
            inputs: { records in ["certificates": records[TaskName.certificates] ?? .null] },
            perform: { _ in
                try await handOut(work)
                return [:]
            }
        )
    }

    /// The same with a certificate that is issued for it, of a shoot of which nothing else is touched.
    static func renew(_ work: ShootWork) -> ShootTask {
        ShootTask(
            name: TaskName.accessRenewal,
            title: "Renewing the kubeconfig",
            after: [],
            inputs: { records in ["due": .integer(Int(clamping: records.renewals.people))] },
            perform: { records in
                let renewed = Renewed(renewal: try await CertificatesTask.keepPeople(work, records))
                try await handOut(work)
                return try CanonicalJSON.value(renewed)
            }
        )
    }

    private static func handOut(_ work: ShootWork) async throws {
        let kubeconfig = try await work.secret(LeafPlan.people)[SecretKey.kubeconfig] ?? []
        try await work.garden.serverSideApply(
            [
                "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
                "metadata": [
                    "name": .string(Shoot.kubeconfigSecret(of: work.shoot.name)),
                    "namespace": .string(work.shoot.namespace),
                    "labels": Ownership.renderedLabels,
                ],
                "data": [SecretKey.kubeconfig: .string(kubeconfig.base64)],
            ],
            manager: Ownership.manager
        )
    }
}
