import ClusterModel
import NodePlan
import StrictYAML
import TendrilCore
import Testing

@Suite("What may be managed on a node")
struct RulesTests {
    @Test(
        "Paths outside, links' tricks and our own files are refused",
        arguments: [
            "", "/", "etc/a", "/etc", "/etc/", "/etc//a", "/etc/../root/a", "/etc/./a", "/etc/a/..", "/root/a",
            "/proc/self/mem",
            "/usr/bin/a", "/etc/passwd", "/etc/shadow", "/etc/sudoers.d/a", "/etc/tendril/agent.yaml",
            "/var/lib/tendril/manifest.json",
            "/etc/a\nb", "/etc/a b", "/etc/\u{00}", "/var/lib/containerd/x",
        ]
    )
    func badPaths(path: String) { #expect(NodePath.problem(path) != nil) }

    @Test(
        "Ordinary paths are taken",
        arguments: [
            "/etc/a", "/etc/kubernetes/pki/ca.crt", "/opt/cni/bin/ptp", "/usr/local/bin/x",
            "/var/lib/kubelet/config.yaml",
        ]
    )
    func goodPaths(path: String) { #expect(NodePath.problem(path) == nil) }

    @Test("Depth and length have bounds, to the byte")
    func bounds() {
        #expect(NodePath.problem("/etc/" + Array(repeating: "a", count: 15).joined(separator: "/")) == nil)
        #expect(NodePath.problem("/etc/" + Array(repeating: "a", count: 16).joined(separator: "/")) != nil)
        #expect(NodePath.problem("/etc/" + String(repeating: "a", count: 240)) == nil)
        #expect(NodePath.problem("/etc/" + String(repeating: "a", count: 241)) != nil)
    }

    @Test(
        "Units of systemd's own, ours, and names with tricks are refused",
        arguments: [
            "", "a", "a.conf", ".service", "-.mount", "../a.service", "a/b.service", "systemd-journald.service",
            "dbus.service", "tendril-agent.service", "a b.service", "a\n.service", "a%i.service",
        ]
    )
    func badUnits(name: String) { #expect(!UnitName.isValid(name)) }

    @Test(
        "Ordinary units are taken",
        arguments: ["a.service", "kubelet.service", "var-lib.mount", "a@b.service", "x.timer"]
    )
    func goodUnits(name: String) { #expect(UnitName.isValid(name)) }

    @Test("Modes are permissions and nothing more")
    func modes() {
        #expect(FileMode("0644")?.bits == 0o644)
        #expect(FileMode("777")?.bits == 0o777)
        for text in ["", "4755", "1777", "0x1", "888", "-644", "00644", "7"] {
            #expect(FileMode(text) == nil, "\(text)")
        }
    }

    @Test("A configuration for machines of one class is for no others; where either side says none, it is for all")
    func machineClass() {
        var spec = NodeConfiguration.Spec()
        #expect(NodeConfiguration(pool: "a", generation: 1, spec: spec).isFor(machineClass: "old"))
        spec.machineClass = "new"
        let configuration = NodeConfiguration(pool: "a", generation: 1, spec: spec)
        #expect(configuration.isFor(machineClass: "new"))
        #expect(configuration.isFor(machineClass: nil))
        #expect(!configuration.isFor(machineClass: "old"))
    }

    @Test("Every problem of a configuration is told, with its place")
    func problems() throws {
        let text = """
            apiVersion: node.tendril.dev/v1alpha1
            kind: NodeConfiguration
            metadata: {pool: worker, generation: 0}
            spec:
              files:
                - {path: /root/x, mode: "4755", content: {inline: a, base64: YQ==}}
                - {path: /etc/a, content: {}}
                - {path: /etc/b, content: {image: {reference: "registry/x:latest", path: x, sha256: "0"}}}
              tunnelCertificate: {path: /etc/a}
              units: [{name: systemd-x.service, dropIns: [{name: x, content: ""}]}]
              kubelet:
                version: 1.19.0
                extraArguments: [x]
                taints: [{key: a, effect: NoSchedule}, {key: a, value: b, effect: NoSchedule}, {key: a, effect: NoExecute}]
              restartBudget: 0
              machineClass: "a b"
            """
        let configuration = try StrictDecoder.decode(NodeConfiguration.self, from: Array(text.utf8))
        let places = NodeConfigurationRules.problems(configuration).map(\.path)
        #expect(
            places.sorted() == [
                "metadata.generation", "spec.files[0].content", "spec.files[0].mode", "spec.files[0].path",
                "spec.files[1].content", "spec.files[2].content.image.path", "spec.files[2].content.image.reference",
                "spec.files[2].content.image.sha256", "spec.kubelet.extraArguments[0]", "spec.kubelet.taints",
                "spec.kubelet.version",
                "spec.machineClass", "spec.restartBudget",
                "spec.tunnelCertificate.path", "spec.units[0].dropIns[0].name", "spec.units[0].name",
            ]
        )
    }

    @Test(
        "An image is named by its digest, and by nothing that a program takes for an option",
        arguments: [
            "registry.example/kubelet:v1", "-x@sha256:" + digits, "registry/x@sha256:" + digits + "0",
            "registry/x@sha256:" + digits.uppercased(), "registry/x y@sha256:" + digits, "@sha256:" + digits,
            "registry/x@sha512:" + digits, "registry/x@@sha256:" + digits, "Registry/x@sha256:" + digits,
        ]
    )
    func badImages(reference: String) {
        #expect(ImageName.isPinned("registry.example:5000/a/b-c_d.e@sha256:" + Self.digits))
        #expect(!ImageName.isPinned(reference))
    }

    private static let digits = String(repeating: "0a", count: 32)

    @Test("Unknown fields are told with their places")
    func unknownFields() {
        let text = """
            apiVersion: node.tendril.dev/v1alpha1
            kind: NodeConfiguration
            metadata: {pool: worker, generation: 1, colour: red}
            spec: {files: [{path: /etc/a, content: {inline: x}, owner: me}]}
            """
        do {
            _ = try StrictDecoder.decode(NodeConfiguration.self, from: Array(text.utf8))
            Issue.record("taken")
        } catch {
            #expect(Set(error.problems.map(\.path)) == ["metadata.colour", "spec.files[0].owner"])
        }
    }
}

@Suite("Kubelets of every release")
struct KubeletTests {
    /// What the release notes say, written down once more.
    static let table:
        [(version: String, hierarchy: CgroupHierarchy, flags: [String], fields: [String], absent: [String])] = [
            (
                "1.20.2", .v1,
                [
                    "--container-runtime=remote", "--network-plugin=cni",
                    "--container-runtime-endpoint=unix:///run/containerd/containerd.sock",
                ], [], ["containerRuntimeEndpoint", "failCgroupV1"]
            ),
            (
                "1.23.17", .v1, ["--container-runtime=remote", "--network-plugin=cni"], ["registerWithTaints"],
                ["containerRuntimeEndpoint"]
            ),
            (
                "1.24.0", .v2, ["--container-runtime-endpoint=unix:///run/containerd/containerd.sock"],
                ["registerWithTaints"], ["--container-runtime=remote", "--network-plugin=cni"]
            ),
            (
                "1.27.0", .v2, [], ["containerRuntimeEndpoint"],
                ["--container-runtime=remote", "--container-runtime-endpoint", "failCgroupV1"]
            ),
            ("1.31.0", .v1, [], ["containerRuntimeEndpoint", "failCgroupV1"], ["--container-runtime"]),
            ("1.34.1", .v2, [], ["containerRuntimeEndpoint"], ["--container-runtime", "failCgroupV1"]),
            ("1.36.2", .v1, [], ["containerRuntimeEndpoint", "failCgroupV1"], ["--container-runtime"]),
        ]

    @Test("get the flags and fields that they know", arguments: table.indices)
    func flags(row: Int) throws {
        let wanted = Self.table[row]
        var kubelet = NodeConfiguration.Kubelet(version: wanted.version)
        kubelet.taints = [try Self.taint()]
        let host = HostFacts(nodeName: "n1", hierarchy: wanted.hierarchy)
        let (files, unit) = try KubeletRendering.render(kubelet, runtime: nil, on: host)
        let text = (unit.content ?? "") + (files[0].content.inline ?? "")
        for flag in wanted.flags { #expect(text.contains("\"\(flag)\""), "\(wanted.version): \(flag)") }
        for field in wanted.fields { #expect(text.contains("\"\(field)\""), "\(wanted.version): \(field)") }
        for absent in wanted.absent { #expect(!text.contains(absent), "\(wanted.version): \(absent)") }
    }

    @Test("know the proxy that stands before the API server, unless the configuration says otherwise")
    func proxies() throws {
        var kubelet = NodeConfiguration.Kubelet(version: "1.27.0")
        let proxy = try StrictDecoder.decode(
            AgentConfiguration.Proxy.self,
            from: Array("{url: 'http://p:3128', noProxy: [10.0.0.1, a]}".utf8)
        )
        let host = HostFacts(nodeName: "n1", hierarchy: .v2, proxy: proxy)
        let given = try KubeletRendering.render(kubelet, runtime: nil, on: host).unit.content ?? ""
        #expect(given.contains("Environment=\"HTTPS_PROXY=http://p:3128\"\nEnvironment=\"NO_PROXY=10.0.0.1,a\"\n"))
        kubelet.environment = ["HTTPS_PROXY": ""]
        let own = try KubeletRendering.render(kubelet, runtime: nil, on: host).unit.content ?? ""
        #expect(own.contains("Environment=\"HTTPS_PROXY=\"\n"))
    }

    @Test("do not run where they cannot")
    func unsupported() {
        let host = HostFacts(nodeName: "n1", hierarchy: .v2)
        #expect(throws: ConfigurationProblem.self) {
            try KubeletRendering.render(NodeConfiguration.Kubelet(version: "1.20.2"), runtime: nil, on: host)
        }
    }

    @Test("keep every argument in its place, whatever it holds")
    func arguments() {
        #expect(UnitText.argument("a b") == "\"a b\"")
        #expect(UnitText.argument("$HOME %i \"\\") == "\"$$HOME %%i \\\"\\\\\"")
        #expect(UnitText.argument("a\nExecStartPre=/bin/evil") == "\"a\\x0aExecStartPre=/bin/evil\"")
    }

    private static func taint() throws -> Node.Taint {
        try StrictDecoder.decode(Node.Taint.self, from: Array("{key: a, effect: NoSchedule}".utf8))
    }

    @Test(
        "Keys and issuers that no machine could follow are refused",
        arguments: [
            ([], "0a", "spec.configurationKeys"), (["AA=="], "0a", "spec.configurationKeys[0]"),
            (["not base64"], "0a", "spec.configurationKeys[0]"),
            ([key, key, key, key, key], "0a", "spec.configurationKeys"),
            ([key], "", "spec.certificateIssuers.kubelet"), ([key], "0A", "spec.certificateIssuers.kubelet"),
            ([key], "abc", "spec.certificateIssuers.kubelet"),
            ([key], String(repeating: "a", count: 130), "spec.certificateIssuers.kubelet"),
        ]
    )
    func trust(keys: [String], issuer: String, field: String) {
        var spec = NodeConfiguration.Spec()
        spec.configurationKeys = keys
        spec.certificateIssuers = .init(agent: "0a", kubelet: issuer, kubeletServing: "0c")
        let problems = NodeConfigurationRules.problems(NodeConfiguration(pool: "p", generation: 1, spec: spec))
        #expect(problems.map(\.path) == [field])
    }

    private static let key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
}
