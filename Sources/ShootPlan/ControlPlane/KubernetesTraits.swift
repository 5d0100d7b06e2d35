package import NodePlan

/// What differs between the releases of Kubernetes for a control plane, each with its source; nothing else asks.
package struct KubernetesTraits: Hashable, Sendable {
    /// The release of etcd that the release of Kubernetes was tested with (cluster/images/etcd of each release, and
    /// kubeadm's constants); all of them speak the same API.
    package let etcd: String
    /// The egress selector's configuration is v1beta1 from 1.20 on (KEP-1281), and still is.
    package let egressSelectorVersion = "apiserver.k8s.io/v1beta1"
    /// AES-GCM with rotation is recommended by none of the releases for keys that are not rotated; secretbox is
    /// (Kubernetes documentation, "Encrypting Confidential Data at Rest"), in all of them.
    package let encryptionProvider = "secretbox"

    /// The version of the Eviction: v1 is taken from 1.22 on (Kubernetes documentation, "API-initiated Eviction").
    package let evictionVersion: String

    package init(_ version: KubernetesVersion) {
        evictionVersion = version.minor >= 22 ? "policy/v1" : "policy/v1beta1"
        etcd =
            switch version.minor {
            case ..<22: "3.4.13-0"
            case ..<34: "3.5.21-0"
            case ..<36: "3.6.4-0"
            default: "3.6.8-0"
            }
    }
}
