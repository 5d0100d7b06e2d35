import ClusterModel
import Foundation
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
            ("1.20.2", "etcd:3.4.13-0", "policy/v1beta1"), ("1.21.14", "etcd:3.4.13-0", "policy/v1beta1"),
            ("1.22.0", "etcd:3.5.21-0", "policy/v1"), ("1.33.9", "etcd:3.5.21-0", "policy/v1"),
            ("1.34.0", "etcd:3.6.4-0", "policy/v1"),
            ("1.35.0", "etcd:3.6.4-0", "policy/v1"),
            ("1.36.2", "etcd:3.6.8-0", "policy/v1"),
        ]
    )
    func table(version: String, etcd: String, eviction: String) throws {
        let traits = KubernetesTraits(try #require(KubernetesVersion(version)))
        #expect(traits.etcd == etcd && traits.evictionVersion == eviction)
        #expect(traits.egressSelectorVersion == "apiserver.k8s.io/v1beta1")
        #expect(traits.asksIssuersByEgress == ["1.34.0", "1.35.0", "1.36.2"].contains(version))
    }

    /// Versions of APIs that a later release does not serve any more, and the first minor release without them (Kubernetes
    /// documentation, "Deprecated API Migration Guide"); and those that an earlier one does not serve yet.
    private static let served: [(version: String, releases: Range<Int>)] = [
        ("policy/v1beta1", 20..<25), ("policy/v1", 21..<99), ("apiregistration.k8s.io/v1beta1", 20..<22),
        ("rbac.authorization.k8s.io/v1beta1", 20..<22), ("networking.k8s.io/v1beta1", 20..<22),
        ("batch/v1beta1", 20..<25), ("batch/v1", 20..<99),
    ]

    @Test(
        "no release is given an object of a version that it does not serve, and add-ons are of a release that fits",
        arguments: 20...36
    )
    func addons(minor: Int) throws {
        let version = KubernetesVersion(minor: minor)
        let cluster = try #require(
            try Samples.facts(version) {
                $0.spec.kubernetes.version = "\(version)"
                $0.spec.addons.dashboard = true
            }
        )
        let addons = try Addons.all(cluster, kubeProxy: [:], kubeconfig: "", digest: "")
        let objects =
            addons.flatMap(\.objects) + Addons.system(cluster, gateKey: "")
            + (try ControlPlane.apiServer(cluster, Samples.addresses, digests: [:]))
        for version in objects.compactMap({ $0["apiVersion"]?.text }) {
            for row in Self.served where row.version == version { #expect(row.releases.contains(minor), "\(version)") }
        }
        let text = try objects.map { try CanonicalJSON.text($0) }.joined()
        let dns = minor < 27 ? "v1.9.3" : minor < 29 ? "v1.10.1" : minor < 33 ? "v1.11.3" : nil
        if let dns { #expect(text.contains("registry.k8s.io/coredns/coredns:\(dns)\"")) }
        let metrics = minor < 27 ? "v0.6.4" : minor < 31 ? "v0.7.2" : "v0.8.0"
        #expect(text.contains("registry.k8s.io/metrics-server/metrics-server:\(metrics)\""))
        #expect(
            text.contains("docker.io/kubernetesui/dashboard:v2.7.0\"") && text.contains("kube-proxy:v1.\(minor).0\"")
        )
    }

    @Test("no image's release stands anywhere but in the table")
    func oneTable() throws {
        let sources = URL(fileURLWithPath: #filePath).appendingPathComponent("../../../Sources").standardized
        let files = try #require(FileManager.default.enumerator(at: sources, includingPropertiesForKeys: nil))
        for case let file as URL in files where file.pathExtension == "swift" {
            guard file.lastPathComponent != "KubernetesTraits.swift" else { continue }
            let text = try String(contentsOf: file, encoding: .utf8)
            #expect(
                text.firstMatch(of: /[a-z]:v?[0-9]+\.[0-9]+(\.[0-9]+)?(-[0-9]+)?"/) == nil,
                "\(file.lastPathComponent)"
            )
        }
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
