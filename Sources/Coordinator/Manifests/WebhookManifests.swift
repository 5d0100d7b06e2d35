internal import ClusterModel
internal import ShootPlan
internal import TLSEngine
package import TendrilCore

/// What a garden needs so that its API server asks a coordinator about Shoots before it stores them.
package enum WebhookManifests {
    private static let name = "tendril-coordinator"
    private static let days = 3650

    /// A Secret with a fresh certificate, the Service, and the registration that believes it.
    ///
    /// - Parameter namespace: where the coordinator runs.
    /// - Returns: JSON documents.
    /// - Throws: where a certificate cannot be made.
    package static func all(namespace: String) throws -> [JSONValue] {
        let issuer = try CertificateIssuer(name: "\(name) webhook", days: days)
        let bundle = try issuer.authorityPEM()
        let authority = try RequestAuthority(certificate: bundle, key: try issuer.authorityKeyPEM())
        let key = try KeyPair()
        let host = "\(name).\(namespace).svc"
        let certificate = try authority.issue(
            key,
            subject: SubjectName(user: host),
            names: AlternativeNames(hosts: [host]),
            usages: [.server],
            lifetime: UInt64(days) * 86400
        )
        let labels: JSONValue = ["app.kubernetes.io/name": .string(name)]
        func metadata(_ name: String) -> JSONValue {
            ["name": .string(name), "namespace": .string(namespace), "labels": labels]
        }
        let data: JSONValue = [
            "tls.crt": .string(certificate.base64), "tls.key": .string(try key.pem().copied.base64),
        ]
        return [
            [
                "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
                "metadata": metadata("\(name)-webhook"), "data": data,
            ],
            [
                "apiVersion": "v1", "kind": "Service", "metadata": metadata(name),
                "spec": ["selector": labels, "ports": [["name": "webhook", "port": 443, "targetPort": "webhook"]]],
            ],
            registration(namespace, labels, bundle: bundle.base64),
        ]
    }

    private static func registration(_ namespace: String, _ labels: JSONValue, bundle: String) -> JSONValue {
        [
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
            "metadata": ["name": .string(name), "labels": labels],
            "webhooks": [
                [
                    "name": "shoots.tendril.dev", "admissionReviewVersions": ["v1"], "sideEffects": "None",
                    // The coordinator judges once more: without it nobody is kept from anything.
                    "failurePolicy": "Ignore", "timeoutSeconds": 5,
                    "rules": [
                        [
                            "apiGroups": [.string(TendrilAPI.group)], "apiVersions": [.string(TendrilAPI.version)],
                            "resources": ["shoots"], "operations": ["CREATE", "UPDATE", "DELETE"],
                            "scope": "Namespaced",
                        ]
                    ],
                    "clientConfig": [
                        "caBundle": .string(bundle),
                        "service": [
                            "name": .string(name), "namespace": .string(namespace), "port": 443,
                            "path": .string(AdmissionServer.path),
                        ],
                    ],
                ]
            ],
        ]
    }
}
