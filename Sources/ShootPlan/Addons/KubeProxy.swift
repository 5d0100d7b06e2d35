import ClusterModel
import TendrilCore

/// kube-proxy on every node: it reaches the API server by the front door, for Services are its own work.
enum KubeProxy {
    static let name = "kube-proxy"

    static func objects(
        _ cluster: ClusterFacts,
        configuration: JSONValue,
        kubeconfig: String,
        digest: String
    ) throws -> [JSONValue] {
        let base: JSONValue = [
            "apiVersion": .string(cluster.traits.kubeProxyConfigurationVersion), "kind": "KubeProxyConfiguration",
            "clientConnection": ["kubeconfig": "/srv/kube-proxy/kubeconfig"], "mode": "iptables",
            "clusterCIDR": .string(cluster.spec.networking.pods), "healthzBindAddress": "127.0.0.1:10256",
            "metricsBindAddress": "127.0.0.1:10249",
        ]
        let text = try CanonicalJSON.text(base.merging(configuration))
        return [
            [
                "apiVersion": "v1", "kind": "Secret", "metadata": Addons.metadata(name),
                "data": ["kubeconfig": .string(kubeconfig)],
            ],
            [
                "apiVersion": "v1", "kind": "ConfigMap", "metadata": Addons.metadata(name),
                "data": ["config.json": .string(text)],
            ],
            daemonSet(
                cluster,
                notes: ["tendril.dev/configuration": .string(text), PodParts.secretsNote: .string(digest)]
            ),
        ]
    }

    private static func daemonSet(_ cluster: ClusterFacts, notes: JSONValue) -> JSONValue {
        let container: JSONValue = [
            "name": .string(name), "image": .string(cluster.kubernetesImage(name)), "imagePullPolicy": "IfNotPresent",
            "command": [
                "kube-proxy", "--config=/srv/configuration/config.json", "--hostname-override=$(NODE_NAME)",
            ],
            "env": [["name": "NODE_NAME", "valueFrom": ["fieldRef": ["fieldPath": "spec.nodeName"]]]],
            "securityContext": ["privileged": true],
            "resources": ["requests": ["cpu": "20m", "memory": "40Mi"]],
            "volumeMounts": [
                ["name": "kubeconfig", "mountPath": "/srv/kube-proxy", "readOnly": true],
                ["name": "configuration", "mountPath": "/srv/configuration", "readOnly": true],
                ["name": "lock", "mountPath": "/run/xtables.lock"],
                ["name": "modules", "mountPath": "/lib/modules", "readOnly": true],
            ],
        ]
        let spec: JSONValue = [
            "priorityClassName": "system-node-critical", "hostNetwork": true, "automountServiceAccountToken": false,
            // Its rules stay without it, and 1.20 takes no signals.
            "terminationGracePeriodSeconds": 5,
            "tolerations": [["operator": "Exists"]], "containers": [container],
            "volumes": [
                ["name": "kubeconfig", "secret": ["secretName": .string(name)]],
                ["name": "configuration", "configMap": ["name": .string(name)]],
                ["name": "lock", "hostPath": ["path": "/run/xtables.lock", "type": "FileOrCreate"]],
                ["name": "modules", "hostPath": ["path": "/lib/modules", "type": "DirectoryOrCreate"]],
            ],
        ]
        return Addons.daemonSet(name, notes: notes, pod: spec)
    }
}
