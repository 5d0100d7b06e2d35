package import TendrilCore

/// What works on what was asked for.
extension ControlPlane {
    /// The controllers of Kubernetes, and the approver of nodes' certificates.
    package static func controllers(_ cluster: ClusterFacts, digests: [String: String]) -> [JSONValue] {
        func official(
            _ name: String,
            memory: String,
            port: Int,
            flags: (ClusterFacts, inout SecretMounts) -> [String]
        ) -> JSONValue {
            var secrets = SecretMounts()
            let command = [name] + flags(cluster, &secrets)
            let container = PodParts.container(
                name,
                image: cluster.kubernetesImage(name),
                command: command,
                secrets: secrets,
                requests: ("10m", memory),
                with: ["livenessProbe": PodParts.probe("/healthz", port: port, failures: 6)]
            )
            return deployment(cluster, name, container, secrets, digests)
        }
        return [
            official("kube-controller-manager", memory: "90Mi", port: 10257, flags: Controllers.managerFlags),
            official("kube-scheduler", memory: "45Mi", port: 10259, flags: Controllers.schedulerFlags),
            approver(cluster, digests),
        ]
    }

    private static func approver(_ cluster: ClusterFacts, _ digests: [String: String]) -> JSONValue {
        let name = "tendril-approver"
        var secrets = SecretMounts()
        let command = Controllers.approverCommand(cluster, &secrets)
        let container = PodParts.container(
            name,
            image: cluster.tendrilImage("tendril-coordinator"),
            command: command,
            secrets: secrets,
            requests: ("10m", "32Mi"),
            with: ["ports": PodParts.metricsPorts, "livenessProbe": PodParts.ownLiveness]
        )
        return deployment(cluster, name, container, secrets, digests)
    }

    private static func deployment(
        _ cluster: ClusterFacts,
        _ name: String,
        _ container: JSONValue,
        _ secrets: SecretMounts,
        _ digests: [String: String]
    ) -> JSONValue {
        let template = PodParts.template(
            cluster,
            name,
            containers: [container],
            secrets: secrets,
            digests: digests,
            // They may be killed at any time, and as first processes of their containers not all of them hear SIGTERM
            // (cmd/kube-controller-manager of 1.20 takes no signals).
            graceSeconds: 5
        )
        return PodParts.deployment(cluster, name, template: template)
    }
}
