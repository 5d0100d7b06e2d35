internal import ClusterModel
package import TendrilCore

/// By what a control plane is reached.
extension ControlPlane {
    /// The Services, whose addresses everything else needs.
    package static func services(_ cluster: ClusterFacts) -> [JSONValue] {
        func service(_ name: String, _ component: String, type: String, port: Int, target: Int) -> JSONValue {
            [
                "apiVersion": "v1", "kind": "Service", "metadata": PodParts.metadata(cluster, name),
                "spec": [
                    "type": .string(type), "selector": PodParts.selector(cluster, component),
                    "ports": [
                        ["name": "https", "port": .integer(port), "targetPort": .integer(target), "protocol": "TCP"]
                    ],
                ],
            ]
        }
        let outside = cluster.seed.exposure.type.rawValue
        return [
            service("etcd", "etcd", type: "ClusterIP", port: 2379, target: 2379),
            exposed(cluster, service("kube-apiserver", "kube-apiserver", type: outside, port: 443, target: 6443)),
            exposed(cluster, service("vpn-server", "kube-apiserver", type: outside, port: 8132, target: 8132)),
        ]
    }

    /// A Service with what its operator says to whoever makes the seed's load balancers.
    private static func exposed(_ cluster: ClusterFacts, _ service: JSONValue) -> JSONValue {
        let exposure = cluster.seed.exposure
        guard exposure.type == .loadBalancer, let said = exposure.annotations, !said.isEmpty else { return service }
        return service.merging(["metadata": ["annotations": .object(said.mapValues { .string($0) })]])
    }
}
