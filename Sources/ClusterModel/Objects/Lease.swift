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
