import ClusterModel
import NodePlan
import ShootPlan
import ShootSamples
import TendrilCore
import Testing

@Suite("What differs between releases for a control plane")
struct KubernetesTraitsTests {
    @Test(
        "is as each release's own sources say",
        arguments: [
            ("1.20.2", "3.4.13-0", "policy/v1beta1"), ("1.21.14", "3.4.13-0", "policy/v1beta1"),
            ("1.22.0", "3.5.21-0", "policy/v1"), ("1.33.9", "3.5.21-0", "policy/v1"),
            ("1.34.0", "3.6.4-0", "policy/v1"),
            ("1.35.0", "3.6.4-0", "policy/v1"),
            ("1.36.2", "3.6.8-0", "policy/v1"),
        ]
    )
    func table(version: String, etcd: String, eviction: String) throws {
        let traits = KubernetesTraits(try #require(KubernetesVersion(version)))
        #expect(traits.etcd == etcd && traits.evictionVersion == eviction)
        #expect(traits.egressSelectorVersion == "apiserver.k8s.io/v1beta1")
    }

    /// Flags of kube-apiserver and kube-controller-manager that a later release does not take any more, and the first
    /// minor release without them (changelogs of Kubernetes).
    private static let gone: [(flag: String, minor: Int)] = [
        ("--insecure-port", 24), ("--insecure-bind-address", 24), ("--port", 24), ("--address", 24),
        ("--kubelet-https", 22), ("--cloud-provider", 33), ("--pod-eviction-timeout", 27),
        ("--enable-taint-manager", 27), ("--experimental-cluster-signing-duration", 22),
        ("--service-account-api-audiences", 25),
    ]

    @Test("no release is started with a flag that it does not take", arguments: 20...36)
    func flags(minor: Int) throws {
        let cluster = try #require(try Samples.facts { $0.spec.kubernetes.version = "1.\(minor).0" })
        let objects =
            try ControlPlane.apiServer(cluster, Samples.addresses, digests: [:])
            + ControlPlane.controllers(cluster, digests: [:]) + ControlPlane.etcd(cluster, digests: [:])
        let text = try objects.map { try CanonicalJSON.text($0) }.joined()
        for (flag, first) in Self.gone where minor >= first { #expect(!text.contains("\"\(flag)="), "\(flag)") }
        #expect(text.contains("kube-apiserver:v1.\(minor).0"))
    }
}
