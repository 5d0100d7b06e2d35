internal import ClusterModel
internal import FoundationEssentials
internal import KubernetesClient
internal import LinuxSystem
internal import NodePlan
internal import TendrilCore

/// What the kubelet needs to ask for its own certificates: the cluster's CA, and the agent's identity.
package enum KubeletCredentials {
    /// The paths that `write` writes and `reset` removes.
    package static let paths = [KubeletPaths.authority, KubeletPaths.bootstrapKubeconfig]

    /// Writes what has changed.
    package static func write(_ context: AgentContext, _ access: ClusterAccess) throws(AgentFailure) {
        let kubeconfig: JSONValue = [
            "apiVersion": "v1", "kind": "Config", "current-context": "cluster",
            "clusters": [
                [
                    "name": "cluster",
                    "cluster": [
                        // A kubelet knows one address: the one that answers.
                        "server": .string(access.client.server),
                        "certificate-authority": .string(KubeletPaths.authority),
                    ],
                ]
            ],
            "users": [
                [
                    "name": "agent",
                    "user": [
                        "client-certificate": .string(AgentPaths.identity), "client-key": .string(AgentPaths.identity),
                    ],
                ]
            ],
            "contexts": [["name": "cluster", "context": ["cluster": "cluster", "user": "agent"]]],
        ]
        try attempt("write the kubelet's credentials") {
            let text = Array(try CanonicalJSON.text(kubeconfig).utf8) + [0x0A]
            for (path, content, mode) in [
                (KubeletPaths.authority, access.authority, 0o644), (KubeletPaths.bootstrapKubeconfig, text, 0o600),
            ] as [(String, [UInt8], UInt32)] where try context.files.read(path) != content {
                try context.files.replace(path, content, mode: mode)
            }
        }
    }
}
