package import TendrilCore

/// What everybody asks.
extension ControlPlane {
    /// kube-apiserver with the tunnel's server beside it, by which it reaches nodes, pods and Services.
    package static func apiServer(
        _ cluster: ClusterFacts,
        _ addresses: ControlPlaneAddresses,
        digests: [String: String]
    ) throws -> [JSONValue] {
        var (secrets, tunnelSecrets) = (SecretMounts(), SecretMounts())
        let flags = APIServer.flags(cluster, addresses, &secrets)
        let data = try APIServer.configuration(cluster, &tunnelSecrets)
        let template = PodParts.template(
            cluster,
            "kube-apiserver",
            containers: [server(cluster, flags, secrets), tunnel(cluster, tunnelSecrets)],
            secrets: secrets.union(tunnelSecrets),
            digests: digests,
            volumes: [
                ["name": "tunnel", "emptyDir": ["medium": "Memory"]],
                ["name": "configuration", "configMap": ["name": "kube-apiserver"]],
            ],
            configuration: data.sorted { $0.key < $1.key }.map(\.value).joined()
        )
        return [
            [
                "apiVersion": "v1", "kind": "ConfigMap", "metadata": PodParts.metadata(cluster, "kube-apiserver"),
                "data": .object(data.mapValues { .string($0) }),
            ],
            PodParts.budget(cluster, "kube-apiserver"),
            PodParts.deployment(cluster, "kube-apiserver", template: template),
        ]
    }

    /// What both containers see: where the one finds the other, and what they are told.
    private static let shared: JSONValue = [
        ["name": "tunnel", "mountPath": "/run/tendril"],
        ["name": "configuration", "mountPath": "/srv/configuration", "readOnly": true],
    ]

    private static func server(_ cluster: ClusterFacts, _ flags: [String], _ secrets: SecretMounts) -> JSONValue {
        PodParts.container(
            "kube-apiserver",
            image: cluster.kubernetesImage("kube-apiserver"),
            command: ["kube-apiserver"] + flags,
            secrets: secrets,
            requests: ("100m", "300Mi"),
            with: [
                "volumeMounts": shared,
                // From 1.21 on the official image's program carries this capability, and without it cannot be started
                // (build/server-image/kube-apiserver/Dockerfile).
                "securityContext": ["capabilities": ["drop": ["ALL"], "add": ["NET_BIND_SERVICE"]]],
                "livenessProbe": PodParts.patient(PodParts.probe("/livez", port: 6443, failures: 8)),
                "readinessProbe": PodParts.probe("/readyz", port: 6443, failures: 2, period: 1),
            ]
        )
    }

    private static func tunnel(_ cluster: ClusterFacts, _ secrets: SecretMounts) -> JSONValue {
        PodParts.container(
            "tendril-vpn",
            image: cluster.tendrilImage("tendril-vpn"),
            command: APIServer.tunnelCommand(cluster),
            secrets: secrets,
            requests: ("20m", "32Mi"),
            with: [
                "volumeMounts": shared, "ports": PodParts.metricsPorts,
                // It fails where a thread stands still, and never for links that are down.
                "livenessProbe": PodParts.ownLiveness,
                // By the kernel: a control loop that stands still does not take kube-apiserver, which goes on, from its clients.
                "readinessProbe": ["tcpSocket": ["port": 8132], "periodSeconds": 1],
            ]
        )
    }
}
