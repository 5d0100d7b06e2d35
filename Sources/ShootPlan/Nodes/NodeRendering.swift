package import ClusterModel
package import NodePlan
internal import TendrilCore

/// Whom the machines of a shoot believe, and by whom they prove themselves.
package struct NodeTrust: Sendable {
    /// The CA bundle of the link in PEM.
    package var tunnelAuthority = ""
    /// The CA bundle of the API server in PEM.
    package var clusterAuthority = ""
    /// The keys in base64 of which one signs the next configuration.
    package var configurationKeys: [String] = []
    package var issuers: NodeConfiguration.CertificateIssuers?

    package init() {}
}

/// Renders what the machines of a pool are to be.
package enum NodeRendering {
    /// The Secret in the shoot with the key of the gate.
    package static let gateSecret = "tendril-vpn-gate"
    package static let gateKey = "key"

    private static let containerd = "/etc/containerd/config.toml"
    private static let network = "/etc/cni/tendril.conflist.template"
    private static let tunnel = "/etc/tendril-vpn"
    /// The link's unit.
    static let tunnelUnit = "tendril-vpn.service"

    /// The configuration of a pool.
    ///
    /// - Parameters:
    ///   - cluster: the shoot.
    ///   - pool: one of its pools.
    ///   - image: what its machines start from.
    ///   - addresses: where nodes link to.
    ///   - trust: whom they believe.
    ///   - generation: grows with every change.
    /// - Returns: the configuration, to be judged and signed.
    /// - Throws: where a value cannot be encoded.
    package static func configuration(
        _ cluster: ClusterFacts,
        pool: Shoot.Worker,
        image: MachineImage,
        addresses: ControlPlaneAddresses,
        trust: NodeTrust,
        generation: Int
    ) throws -> NodeConfiguration {
        var spec = NodeConfiguration.Spec()
        var files = [
            file(containerd, runtime(cluster, image), mode: "0644"),
            file("\(tunnel)/client.json", try client(cluster, addresses)),
            file("\(tunnel)/ca.crt", trust.tunnelAuthority),
            NodeConfiguration.File(
                path: "\(tunnel)/gate.key",
                mode: "0600",
                content: .init(secretRef: .init(name: gateSecret, key: gateKey))
            ),
            file("/etc/kubernetes/manifests/.keep", "Static pods go here.\n", mode: "0644"),
        ]
        if cluster.spec.networking.type.isOurs {
            files.append(file(network, try CanonicalJSON.text(podNetwork(cluster)), mode: "0644"))
        }
        spec.files = files
        spec.units = [
            .init(name: NodeConfiguration.ContainerRuntime.defaultUnit, restartOn: [containerd, network]),
            .init(
                name: tunnelUnit,
                content: tunnelService(image),
                enabled: true,
                restartOn: ["\(tunnel)/client.json"]
            ),
        ]
        spec.kubelet = kubelet(cluster, pool, image)
        spec.health = image.health
        spec.machineClass = MachineClass.of(pool, image)
        spec.certificateAuthority = trust.clusterAuthority
        spec.configurationKeys = trust.configurationKeys
        spec.certificateIssuers = trust.issuers
        spec.tunnelCertificate = .init(path: "\(tunnel)/client.pem")
        return NodeConfiguration(pool: pool.name, generation: generation, spec: spec)
    }

    private static func file(_ path: String, _ text: String, mode: String = "0600") -> NodeConfiguration.File {
        NodeConfiguration.File(path: path, mode: mode, content: .init(inline: text))
    }

    private static func kubelet(
        _ cluster: ClusterFacts,
        _ pool: Shoot.Worker,
        _ image: MachineImage
    ) -> NodeConfiguration.Kubelet {
        var kubelet = NodeConfiguration.Kubelet(version: cluster.version.description)
        kubelet.binary = image.kubelet
        kubelet.environment = image.kubeletEnvironment
        kubelet.labels = (pool.labels ?? [:]).merging([TokenGrant.poolLabel: pool.name]) { $1 }
        // Earlier releases accepted some that are there twice.
        kubelet.taints = pool.taints.map(Node.Taint.distinct)
        var configuration: JSONValue = [
            "clusterDNS": .array(cluster.serviceAddress(10).map { [.string("\($0)")] } ?? [])
        ]
        if let maxPods = pool.kubelet?.maxPods { configuration = configuration.merging(["maxPods": .integer(maxPods)]) }
        if let gates = pool.kubelet?.featureGates, !gates.isEmpty {
            configuration = configuration.merging(["featureGates": .object(gates.mapValues { .bool($0) })])
        }
        for more in [image.kubeletConfiguration, pool.kubelet?.configuration] {
            if let more { configuration = configuration.merging(more) }
        }
        kubelet.configuration = configuration
        return kubelet
    }

    /// containerd 1.6's configuration (TOML 1.0; a JSON string is a TOML string too).
    private static func runtime(_ cluster: ClusterFacts, _ image: MachineImage) -> String {
        func text(_ value: String) -> String {
            (try? CanonicalJSON.bytes(value)).map { String(decoding: $0, as: UTF8.self) } ?? "\"\""
        }
        let isContainer = image.isContainer ?? false
        return """
            version = 2
            [plugins."io.containerd.grpc.v1.cri"]
              sandbox_image = \(text(image.sandboxImage ?? cluster.kubernetesImage(tagged: cluster.traits.pause)))
              disable_apparmor = \(isContainer)
              restrict_oom_score_adj = \(isContainer)
              [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
                runtime_type = "io.containerd.runc.v2"
                [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
                  SystemdCgroup = \(image.systemdCgroup ?? true)
              [plugins."io.containerd.grpc.v1.cri".cni]
                bin_dir = "/opt/cni/bin"
                conf_dir = "/etc/cni/net.d"
                conf_template = "\(network)"
            \(isContainer ? "" : "[plugins.\"io.containerd.grpc.v1.cri\".registry]\n  config_path = \"/etc/containerd/certs.d\"\n")
            """
    }

    /// A node's own part of the pods' range, as containerd fills it in once the kubelet tells it
    /// (containerd documentation, "cri/config.md", conf_template).
    ///
    /// Pods see one another without address translation (Kubernetes documentation, "The Kubernetes network model"); what they send to
    /// others gets their node's address by the rules of `tendril-agent routes`.
    private static func podNetwork(_ cluster: ClusterFacts) -> JSONValue {
        let isOverlay = cluster.spec.networking.type == .overlay
        return [
            "cniVersion": "0.4.0", "name": "tendril",
            "plugins": [
                [
                    "type": "ptp", "ipMasq": false, "mtu": .integer(isOverlay ? PodNetwork.overlayMTU : 1500),
                    "ipam": [
                        "type": "host-local", "ranges": [[["subnet": "{{.PodCIDR}}"]]],
                        "routes": [["dst": "0.0.0.0/0"]],
                    ],
                ],
                ["type": "portmap", "capabilities": ["portMappings": true]],
            ],
        ]
    }

    private static func client(_ cluster: ClusterFacts, _ addresses: ControlPlaneAddresses) throws -> String {
        let networking = cluster.spec.networking
        var configuration: JSONValue = [
            "apiVersion": "vpn.tendril.dev/v1alpha1", "kind": "ClientConfiguration",
            "servers": [.string(addresses.link.text)], "ca": .string("\(tunnel)/ca.crt"),
            "certificate": .string("\(tunnel)/client.pem"), "key": .string("\(tunnel)/client.pem"),
            "gateKey": .string("\(tunnel)/gate.key"),
            "networks": [.string(networking.nodes), .string(networking.pods), .string(networking.services)],
            "packets": false, "lanes": .integer(cluster.spec.vpn.lanes),
            "apiServerListen": .string("\(ReservedNetwork.apiServer):6443"),
        ]
        // Machines of an earlier image do not know the setting: it is there where it is needed only.
        let targets = IdentityProvider.targets(cluster.spec)
        if !targets.isEmpty {
            configuration = configuration.merging(["outsideTargets": .array(targets.map { .string($0) })])
        }
        return try CanonicalJSON.text(configuration)
    }

    /// The link's unit; when it is to end new streams take other nodes' links, and those that are open have some time.
    private static func tunnelService(_ image: MachineImage) -> String {
        """
        [Unit]
        Description=Tendril's link to the control plane
        After=network-online.target
        Wants=network-online.target
        StartLimitIntervalSec=0
        [Service]
        Type=notify
        ExecStart=\(UnitText.argument(image.tunnel ?? "/usr/bin/tendril-vpn")) client --config \(tunnel)/client.json \
        --drain-seconds=20
        Restart=always
        RestartSec=100ms
        WatchdogSec=15s
        RuntimeDirectory=tendril
        RuntimeDirectoryPreserve=yes
        CapabilityBoundingSet=CAP_NET_ADMIN
        NoNewPrivileges=yes
        ProtectSystem=strict
        ReadWritePaths=/run/tendril
        [Install]
        WantedBy=multi-user.target

        """
    }
}
