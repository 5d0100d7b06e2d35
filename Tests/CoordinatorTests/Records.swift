import ClusterModel
import Coordinator
import TendrilCore

/// The ConfigMaps in which it stands what was issued to which machine.
enum Records {
    private static let start = "/api/v1/namespaces/kube-system/configmaps/tendril-machine-"

    static func map(_ machine: String, expiry: UInt64) -> ConfigMap {
        ConfigMap(
            ObjectMetadata(
                name: "tendril-machine-\(machine)",
                namespace: TendrilAPI.namespace,
                labels: ["app.kubernetes.io/managed-by": "tendril-coordinator"]
            ),
            data: [
                "machine": machine, "pool": "worker", "keyDigest": "key", "request": "uid",
                "expiry": KubernetesTime.text(seconds: expiry),
            ]
        )
    }

    /// The machines that there are records of.
    static func machines(_ api: MemoryAPI) -> [String] { api.paths(start).map { String($0.dropFirst(start.count)) } }
}
