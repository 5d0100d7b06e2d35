package import NodePlan
package import TendrilCore

/// What differs between the releases of Kubernetes for a control plane and its add-ons, each with its source; nothing else
/// asks, and no image or version of an API stands anywhere else.
package struct KubernetesTraits: Hashable, Sendable {
    // MARK: - Images, without their registry

    /// The release of etcd that the release of Kubernetes was tested with (cluster/images/etcd of each release, and
    /// kubeadm's constants); all of them speak the same API.
    package let etcd: String
    /// The program in etcd's image that restores a snapshot: `etcdctl` until 3.5, and `etcdutl` alone from 3.6 on (etcd,
    /// CHANGELOG-3.6).
    let etcdRestore: String
    /// Whether it can begin beyond all revisions that were ever watched, so that everybody lists anew (3.5.10 and later,
    /// etcd, CHANGELOG-3.5).
    let restoresAhead: Bool
    /// kubeadm's `CoreDNSVersion` of the release (cmd/kubeadm/app/constants); before 1.25 that of 1.25, which asks for
    /// discovery.k8s.io/v1 or, where there is none, v1beta1 (CoreDNS, plugin/kubernetes).
    package let coreDNS: String
    /// By the compatibility matrix of metrics-server's README: 0.6 for 1.19 and later when it came, 0.7 from 1.27 on, 0.8
    /// from 1.31 on; all of them serve metrics.k8s.io/v1beta1.
    package let metricsServer: String
    /// The last release that is one container and no chart (kubernetes/dashboard, release notes of v3); it asks only for APIs
    /// that are v1 in all releases.
    package let dashboard = "dashboard:v2.7.0"
    /// Holds a pod's namespaces and is the same for all releases (build/pause/CHANGELOG.md); another one would restart each
    /// node's runtime.
    package let pause = "pause:3.9"

    // MARK: - Probes

    /// How etcd is asked whether it lives: one that is full has to, or nobody could make room.
    ///
    /// `exclude` is there from 3.5 on, and came to 3.4 after 3.4.13 (etcd-io/etcd#12880).
    package let etcdLiveness: JSONValue
    /// Where etcd does not know `exclude` one that is full is not ready.
    static let etcdReadiness: JSONValue = etcdProbe("")
    private static func etcdProbe(_ more: String) -> JSONValue {
        ["httpGet": ["path": .string("/health?exclude=NOSPACE\(more)"), "port": .integer(PodParts.etcdMetricsPort)]]
    }

    // MARK: - Versions of APIs

    /// The egress selector's configuration is v1beta1 from 1.20 on (KEP-1281), and still is.
    package let egressSelectorVersion = "apiserver.k8s.io/v1beta1"
    /// The version of the Eviction: v1 is taken from 1.22 on (Kubernetes documentation, "API-initiated Eviction").
    package let evictionVersion: String
    /// PodDisruptionBudgets are v1 from 1.21 on, and v1beta1 is gone from 1.25 on (Kubernetes documentation, "Deprecated API
    /// Migration Guide").
    package let budgetVersion: String
    /// CronJobs are v1 from 1.21 on, and v1beta1 is gone from 1.25 on (Kubernetes documentation, "Deprecated API Migration
    /// Guide").
    package let cronJobVersion: String
    /// Jobs are v1 since 1.5 (CHANGELOG-1.5).
    package let jobVersion = "batch/v1"
    /// NetworkPolicies are v1 since 1.7 (CHANGELOG-1.7).
    package let networkPolicyVersion = "networking.k8s.io/v1"
    /// APIServices are v1 since 1.10 (CHANGELOG-1.10); v1beta1 is gone from 1.22 on.
    package let apiServiceVersion = "apiregistration.k8s.io/v1"
    /// KubeProxyConfiguration never was anything else (staging/src/k8s.io/kube-proxy/config).
    package let kubeProxyConfigurationVersion = "kubeproxy.config.k8s.io/v1alpha1"

    /// AuthenticationConfiguration is v1 from 1.34 on (KEP-3331), and only then can be told which way leads to an issuer.
    package let authenticationVersion = "apiserver.config.k8s.io/v1"

    // MARK: - Choices

    /// Whether kube-apiserver asks an issuer of tokens by the egress that it is told.
    ///
    /// `egressSelectorType` is there from 1.34 on (kubernetes/kubernetes#132768). Earlier ones connect from their pod, whatever
    /// their egress selector says (pkg/kubeapiserver/authenticator/config.go), and nothing is let out of that.
    package let asksIssuersByEgress: Bool

    /// AES-GCM with rotation is recommended by none of the releases for keys that are not rotated; secretbox is
    /// (Kubernetes documentation, "Encrypting Confidential Data at Rest"), in all of them.
    package let encryptionProvider = "secretbox"

    package init(_ version: KubernetesVersion) {
        etcdLiveness =
            version.minor < 22
            ? ["tcpSocket": ["port": .integer(PodParts.etcdMetricsPort)]] : Self.etcdProbe("&serializable=true")
        asksIssuersByEgress = version.minor >= 34
        evictionVersion = version.minor >= 22 ? "policy/v1" : "policy/v1beta1"
        cronJobVersion = version.minor >= 21 ? "batch/v1" : "batch/v1beta1"
        etcdRestore = version.minor < 34 ? "etcdctl" : "etcdutl"
        restoresAhead = version.minor >= 22
        budgetVersion = version.minor >= 21 ? "policy/v1" : "policy/v1beta1"
        etcd =
            switch version.minor {
            case ..<22: "etcd:3.4.13-0"
            case ..<34: "etcd:3.5.21-0"
            case ..<36: "etcd:3.6.4-0"
            default: "etcd:3.6.8-0"
            }
        coreDNS =
            switch version.minor {
            case ..<27: "coredns/coredns:v1.9.3"
            case ..<29: "coredns/coredns:v1.10.1"
            case ..<33: "coredns/coredns:v1.11.3"
            case ..<34: "coredns/coredns:v1.12.0"
            case ..<35: "coredns/coredns:v1.12.1"
            default: "coredns/coredns:v1.13.1"
            }
        metricsServer =
            switch version.minor {
            case ..<27: "metrics-server/metrics-server:v0.6.4"
            case ..<31: "metrics-server/metrics-server:v0.7.2"
            default: "metrics-server/metrics-server:v0.8.0"
            }
    }
}
