import ClusterModel
import TendrilCore

/// What the agent knows of its machine when it renders.
package struct HostFacts: Hashable, Sendable {
    package var nodeName: String
    package var hierarchy: CgroupHierarchy
    /// The proxy that stands before the API server; `nil` for none.
    package var proxy: AgentConfiguration.Proxy?

    package init(nodeName: String, hierarchy: CgroupHierarchy, proxy: AgentConfiguration.Proxy? = nil) {
        (self.nodeName, self.hierarchy, self.proxy) = (nodeName, hierarchy, proxy)
    }

    /// The environment by which programs written in Go know the proxy.
    var proxyEnvironment: [String: String] {
        guard let proxy else { return [:] }
        return ["HTTPS_PROXY": proxy.url, "NO_PROXY": (proxy.noProxy ?? []).joined(separator: ",")]
    }
}

/// Makes the kubelet's files and unit for one machine.
package enum KubeletRendering {
    /// The files and the unit of a kubelet.
    package static func render(
        _ kubelet: NodeConfiguration.Kubelet,
        runtime: NodeConfiguration.ContainerRuntime?,
        on host: HostFacts
    ) throws -> (files: [NodeConfiguration.File], unit: NodeConfiguration.Unit) {
        guard let version = KubernetesVersion(kubelet.version) else {
            throw ConfigurationProblem("spec.kubelet.version", "is no version from 1.20 on")
        }
        let traits = KubeletTraits(version, on: host.hierarchy)
        guard traits.supportsHierarchy else {
            throw ConfigurationProblem(
                "spec.kubelet.version",
                "\(version) does not run on cgroup \(host.hierarchy.rawValue)"
            )
        }
        let endpoint = runtime?.endpoint ?? "unix:///run/containerd/containerd.sock"
        let merged = defaults(kubelet, traits, endpoint).merging(kubelet.configuration ?? [:])
        let text = try CanonicalJSON.text(merged)
        let file = NodeConfiguration.File(
            path: KubeletPaths.configuration,
            mode: "0600",
            content: NodeConfiguration.Content(inline: text + "\n")
        )
        let arguments = flags(kubelet, traits, endpoint, host) + (kubelet.extraArguments ?? [])
        let command = ([binary(kubelet)] + arguments).map(UnitText.argument).joined(separator: " \\\n  ")
        return ([file], unit(kubelet, runtime, host, command))
    }

    private static func unit(
        _ kubelet: NodeConfiguration.Kubelet,
        _ runtime: NodeConfiguration.ContainerRuntime?,
        _ host: HostFacts,
        _ command: String
    ) -> NodeConfiguration.Unit {
        let runtimeUnit = runtime?.unit ?? NodeConfiguration.ContainerRuntime.defaultUnit
        let variables = host.proxyEnvironment.merging(kubelet.environment ?? [:]) { _, own in own }
        let environment = variables.sorted { $0.key < $1.key }
            .map { "Environment=\(UnitText.quoted("\($0.key)=\($0.value)"))\n" }.joined()
        return NodeConfiguration.Unit(
            name: KubeletPaths.unit,
            content: """
                [Unit]
                Description=kubelet: the Kubernetes node agent
                Documentation=https://kubernetes.io/docs/reference/command-line-tools-reference/kubelet/
                After=network-online.target \(runtimeUnit)
                Wants=network-online.target \(runtimeUnit)

                [Service]
                \(environment)ExecStart=\(command)
                Restart=always
                RestartSec=2
                KillMode=process
                CPUAccounting=true
                MemoryAccounting=true

                [Install]
                WantedBy=multi-user.target

                """,
            enabled: true,
            state: .started,
            restartOn: triggers(kubelet)
        )
    }

    /// The files whose change restarts the kubelet.
    static func triggers(_ kubelet: NodeConfiguration.Kubelet) -> [String] {
        [KubeletPaths.configuration, KubeletPaths.authority, binary(kubelet)]
    }

    private static func binary(_ kubelet: NodeConfiguration.Kubelet) -> String { kubelet.binary ?? "/usr/bin/kubelet" }

    private static func defaults(
        _ kubelet: NodeConfiguration.Kubelet,
        _ traits: KubeletTraits,
        _ endpoint: String
    ) -> JSONValue {
        var fields: [String: JSONValue] = [
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "authentication": [
                "anonymous": ["enabled": false], "webhook": ["enabled": true],
                "x509": ["clientCAFile": .string(KubeletPaths.authority)],
            ],
            "authorization": ["mode": "Webhook"],
            "cgroupDriver": .string(traits.cgroupDriver),
            "clusterDomain": "cluster.local",
            // What the kubelet, the container runtime and our own programs need is not given to pods.
            "kubeReserved": ["cpu": "80m", "memory": "300Mi", "ephemeral-storage": "1Gi"],
            "protectKernelDefaults": false,
            "readOnlyPort": 0,
            "rotateCertificates": true,
            "serverTLSBootstrap": true,
            "staticPodPath": "/etc/kubernetes/manifests",
        ]
        if traits.hasRuntimeEndpointField { fields["containerRuntimeEndpoint"] = .string(endpoint) }
        if traits.allowsCgroupV1Explicitly { fields["failCgroupV1"] = false }
        if traits.hasTaintsField, let taints = kubelet.taints, !taints.isEmpty {
            fields["registerWithTaints"] = .array(
                taints.map { taint in
                    ["key": .string(taint.key), "value": .string(taint.value ?? ""), "effect": .string(taint.effect)]
                }
            )
        }
        return .object(fields)
    }

    private static func flags(
        _ kubelet: NodeConfiguration.Kubelet,
        _ traits: KubeletTraits,
        _ endpoint: String,
        _ host: HostFacts
    ) -> [String] {
        var flags = [
            "--config=\(KubeletPaths.configuration)",
            "--bootstrap-kubeconfig=\(KubeletPaths.bootstrapKubeconfig)",
            "--kubeconfig=\(KubeletPaths.kubeconfig)",
            "--cert-dir=\(KubeletPaths.certificates)",
            "--hostname-override=\(host.nodeName)",
        ]
        if traits.needsRemoteRuntimeFlag { flags.append("--container-runtime=remote") }
        if !traits.hasRuntimeEndpointField { flags.append("--container-runtime-endpoint=\(endpoint)") }
        if traits.needsNetworkPluginFlag { flags.append("--network-plugin=cni") }
        let labels = (kubelet.labels ?? [:]).sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        if !labels.isEmpty { flags.append("--node-labels=\(labels.joined(separator: ","))") }
        if !traits.hasTaintsField, let taints = kubelet.taints, !taints.isEmpty {
            let texts = taints.map { "\($0.key)=\($0.value ?? ""):\($0.effect)" }
            flags.append("--register-with-taints=\(texts.joined(separator: ","))")
        }
        return flags
    }
}

/// Texts inside unit files.
package enum UnitText {
    /// One argument of a command line (systemd.service(5), "Command lines"), whatever it holds.
    package static func argument(_ text: String) -> String {
        quoted(text.split(separator: "$", omittingEmptySubsequences: false).joined(separator: "$$"))
    }

    /// One word of a setting that takes several (systemd.syntax(7), "Quoting"), whatever it holds.
    package static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "%": quoted += "%%"
            // systemd ends a string there.
            case "\u{00}": break
            case "\u{01}"..."\u{1F}", "\u{7F}":
                quoted += "\\x" + (scalar.value < 16 ? "0" : "") + String(scalar.value, radix: 16)
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }

    /// Whether a unit runs to its end and is no longer active then (systemd.service(5), `Type=oneshot`).
    static func isOneShot(_ text: String) -> Bool { value(of: "Type", in: text) == "oneshot" }

    /// Whether a unit stays active after its end.
    static func remainsAfterExit(_ text: String) -> Bool {
        ["1", "yes", "y", "true", "t", "on"].contains(value(of: "RemainAfterExit", in: text))
    }

    /// What a setting is at last, in lower case; `nil` where it is not there.
    private static func value(of setting: String, in text: String) -> String? {
        let values = meaning(text).compactMap { line -> String? in
            let parts = line.split(separator: "=", maxSplits: 1).map { $0.filter { $0 != " " && $0 != "\t" } }
            return parts.count == 2 && parts[0] == setting ? parts[1].lowercased() : nil
        }
        return values.last
    }

    /// What of a unit means something: without comments, empty lines and space at the ends of lines.
    package static func meaning(_ text: String) -> [String] {
        text.split(separator: "\n").map { line in
            String(line.drop { $0 == " " || $0 == "\t" }.reversed().drop { $0 == " " || $0 == "\t" }.reversed())
        }.filter { !$0.isEmpty && !$0.hasPrefix("#") && !$0.hasPrefix(";") }
    }
}
