internal import ClusterModel
package import TendrilCore

/// What everybody asks.
extension ControlPlane {
    /// kube-apiserver with the tunnel's server beside it, by which it reaches nodes, pods and Services.
    package static func apiServer(
        _ cluster: ClusterFacts,
        _ addresses: ControlPlaneAddresses,
        digests: [String: String]
    ) throws -> [JSONValue] {
        let (secrets, tunnelSecrets) = (
            APIServer.secrets, ["ca-vpn-bundle", "vpn-server", "vpn-gate-key", APIServer.nodesReader]
        )
        let shared: JSONValue = ["name": "tunnel", "mountPath": "/run/tendril"]
        let configuration: JSONValue = ["name": "configuration", "mountPath": "/srv/configuration", "readOnly": true]
        let server = PodParts.container(
            "kube-apiserver",
            image: cluster.kubernetesImage("kube-apiserver"),
            command: ["kube-apiserver"] + APIServer.flags(cluster, addresses),
            secrets: secrets,
            requests: ("100m", "300Mi"),
            with: [
                "volumeMounts": [shared, configuration],
                // From 1.21 on the official image's program carries this capability, and without it cannot be started
                // (build/server-image/kube-apiserver/Dockerfile).
                "securityContext": ["capabilities": ["drop": ["ALL"], "add": ["NET_BIND_SERVICE"]]],
                "livenessProbe": PodParts.patient(PodParts.probe("/livez", port: 6443, failures: 8)),
                "readinessProbe": PodParts.probe("/readyz", port: 6443, failures: 2, period: 1),
            ]
        )
        let tunnel = PodParts.container(
            "tendril-vpn",
            image: cluster.tendrilImage("tendril-vpn"),
            command: APIServer.tunnelCommand(cluster),
            secrets: tunnelSecrets,
            requests: ("20m", "32Mi"),
            with: [
                "volumeMounts": [shared, configuration], "ports": PodParts.metricsPorts,
                "readinessProbe": ["tcpSocket": ["port": 8132], "periodSeconds": 1],
            ]
        )
        let all = secrets + tunnelSecrets
        let data = try APIServer.configuration(cluster)
        let template = PodParts.template(
            cluster,
            "kube-apiserver",
            containers: [server, tunnel],
            secrets: all,
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
}
