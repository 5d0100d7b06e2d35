internal import ClusterModel
package import TendrilCore

/// What works on what was asked for.
extension ControlPlane {
    /// The controllers of Kubernetes, and the approver of nodes' certificates.
    package static func controllers(_ cluster: ClusterFacts, digests: [String: String]) -> [JSONValue] {
        func part(
            _ name: String,
            image: String,
            _ command: [String],
            _ secrets: [String],
            memory: String,
            _ more: JSONValue
        ) -> JSONValue {
            let container = PodParts.container(
                name,
                image: image,
                command: command,
                secrets: secrets,
                requests: ("10m", memory),
                with: more
            )
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
        let manager = "kube-controller-manager"
        let scheduler = "kube-scheduler"
        return [
            part(
                manager,
                image: cluster.kubernetesImage(manager),
                [manager] + Controllers.managerFlags(cluster),
                Controllers.managerSecrets,
                memory: "90Mi",
                ["livenessProbe": PodParts.probe("/healthz", port: 10257, failures: 6)]
            ),
            part(
                scheduler,
                image: cluster.kubernetesImage(scheduler),
                [scheduler] + Controllers.schedulerFlags(cluster),
                [scheduler],
                memory: "45Mi",
                ["livenessProbe": PodParts.probe("/healthz", port: 10259, failures: 6)]
            ),
            part(
                "tendril-approver",
                image: cluster.tendrilImage("tendril-coordinator"),
                Controllers.approverCommand(cluster),
                ["tendril-approver", "ca-vpn"],
                memory: "32Mi",
                [
                    "ports": PodParts.metricsPorts,
                    "livenessProbe": [
                        "httpGet": ["path": "/healthz", "port": "metrics"], "periodSeconds": 10, "failureThreshold": 6,
                    ],
                ]
            ),
        ]
    }
}
