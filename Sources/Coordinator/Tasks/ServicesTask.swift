internal import ClusterModel
internal import KubernetesClient
internal import ShootPlan
internal import TendrilCore

/// The Services of the control plane.
enum ServicesTask {
    static func make(_ work: ShootWork) -> ShootTask {
        let objects = ControlPlane.services(work.facts)
        return ShootTask(
            name: TaskName.services,
            title: "Reserving addresses",
            after: [TaskName.namespace],
            inputs: { _ in .array(objects + [.string(work.facts.seed.exposure.address ?? "")]) },
            perform: { records in
                try await work.applyInSeed(objects)
                let (etcd, api, link) = (
                    try await find("etcd", work), try await find("kube-apiserver", work),
                    try await find("vpn-server", work)
                )
                let now = ControlPlaneAddresses(
                    etcd: try clusterAddress(etcd),
                    apiServer: try clusterAddress(api),
                    frontDoor: try outside(api, work),
                    link: try outside(link, work)
                )
                let before = try? work.addresses(records)
                return try CanonicalJSON.value(before.map(now.following) ?? now)
            }
        )
    }

    /// A Service once it has all of its addresses.
    private static func find(_ name: String, _ work: ShootWork) async throws -> JSONValue {
        let path = "/api/v1/namespaces/\(work.namespace)/services/\(name)"
        return try await Waiting.until(.seconds(300), for: "the load balancer of \(name)") {
            let service = try await work.seed.document(path)
            let needsBalancer = service["spec"]?["type"]?.text == "LoadBalancer"
            return needsBalancer && ingress(service) == nil ? .failure(.init("it has no address")) : .success(service)
        }
    }

    private static func clusterAddress(_ service: JSONValue) throws -> String {
        guard let address = service["spec"]?["clusterIP"]?.text, IPAddress(address) != nil else {
            throw TaskFailure(.unknown, "a Service has no cluster IP")
        }
        return address
    }

    private static func ingress(_ service: JSONValue) -> String? {
        let first = service["status"]?["loadBalancer"]?["ingress"]?.items.first
        return first?["ip"]?.text ?? first?["hostname"]?.text
    }

    private static func outside(_ service: JSONValue, _ work: ShootWork) throws -> ControlPlaneAddresses.Outside {
        let port = service["spec"]?["ports"]?.items.first
        if let host = ingress(service), let number = port?["port"]?.number {
            return .init(host: host, port: number)
        }
        guard let host = work.facts.seed.exposure.address else {
            throw TaskFailure(.configuration, "the Seed says no spec.exposure.address")
        }
        guard let number = port?["nodePort"]?.number else {
            throw TaskFailure(.unknown, "a Service has no node port")
        }
        return .init(host: host, port: number)
    }
}
