package import FoundationEssentials

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
