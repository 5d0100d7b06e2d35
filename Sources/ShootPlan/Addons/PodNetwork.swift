internal import ClusterModel
import TendrilCore

/// Routes between nodes, for the simple network plug-in: one pod a node that may change routes, and nothing else.
enum PodNetwork {
    static let name = "tendril-routes"
    /// What the overlay of `tendril-agent routes` leaves of 1500 bytes.
    static let overlayMTU = 1464

    static func objects(_ cluster: ClusterFacts, digest: String) -> [JSONValue] {
        let role = "tendril:routes"
        return [
            Addons.account(name),
            Addons.role(role, [PolicyRule(["list", "watch"], ["nodes"])]),
            Addons.binding(role, role: role, Addons.subject(account: name)),
            daemonSet(cluster, notes: [PodParts.secretsNote: .string(digest)]),
        ]
    }

    private static func daemonSet(_ cluster: ClusterFacts, notes: JSONValue) -> JSONValue {
        let command = [
            "/usr/bin/tendril-agent", "routes", "--node", "$(NODE_NAME)", "--pods", cluster.spec.networking.pods,
        ]
        let overlay = cluster.spec.networking.type == .overlay ? ["--overlay"] : []
        let container: JSONValue = [
            "name": "routes", "image": .string(cluster.tendrilImage("tendril-agent")),
            "imagePullPolicy": "IfNotPresent",
            "command": .array((command + overlay).map { .string($0) }),
            "env": [
                ["name": "NODE_NAME", "valueFrom": ["fieldRef": ["fieldPath": "spec.nodeName"]]],
                // The node's own address of the API server: it is there before Services are.
                ["name": "KUBERNETES_SERVICE_HOST", "value": .string(ReservedNetwork.apiServer)],
                ["name": "KUBERNETES_SERVICE_PORT", "value": "6443"],
            ],
            "resources": ["requests": ["cpu": "5m", "memory": "16Mi"]],
            "securityContext": Confinement.container(user: 0, adding: ["NET_ADMIN"]),
        ]
        let spec: JSONValue = [
            "priorityClassName": "system-node-critical", "hostNetwork": true, "serviceAccountName": .string(name),
            "tolerations": [["operator": "Exists"]], "containers": [container],
            "securityContext": Confinement.pod,
        ]
        return Addons.daemonSet(name, notes: notes, pod: spec)
    }
}
