internal import ClusterModel
internal import KubernetesClient
internal import ShootPlan
internal import TendrilCore

/// What runs in a shoot's kube-system looks like, and whether its nodes are reached.
enum SystemReport {
    /// Why not all is well; `nil` where it is.
    static func problem(_ workloads: [String], _ shoot: KubernetesClient, hasNodes: Bool) async throws(APIError)
        -> String?
    {
        for workload in workloads {
            let parts = workload.split(separator: "/")
            guard parts.count == 2 else { continue }
            let path = "/apis/apps/v1/namespaces/kube-system/\(workload)"
            guard var object = try await shoot.findDocument(path) else { return "\(workload) is gone" }
            object = object.merging(["kind": parts[0] == "daemonsets" ? "DaemonSet" : "Deployment"])
            if let problem = RolloutState(object).problem { return "\(workload): \(problem)" }
        }
        let endpoints = try await shoot.findDocument("/api/v1/namespaces/default/endpoints/kubernetes")
        guard endpoints?["subsets"]?.first?["addresses"]?.first?["ip"]?.text == ReservedNetwork.apiServer else {
            return "pods do not find the API server: the endpoints of the kubernetes Service were changed"
        }
        guard hasNodes else { return nil }
        // The API server reaches a kubelet only over the link.
        guard let name = try await shoot.list(Node.self).items.first(where: \.isReady)?.metadata.name else {
            return "no node is ready"
        }
        do throws(APIError) {
            _ = try await shoot.text("/api/v1/nodes/\(ResourceKind.encoded(name))/proxy/healthz")
            return nil
        } catch {
            return "the link: \(error)"
        }
    }
}

extension NodesReport {
    /// Reads what there is in a shoot, and judges it by what is wanted.
    static func read(_ shoot: KubernetesClient, _ work: ShootWork, generations: [String: Int]) async throws(APIError)
        -> NodesReport
    {
        NodesReport(
            try await shoot.list(Node.self).items,
            try await shoot.list(NodeBootstrap.self).items,
            work.facts.spec.workers,
            generations: generations
        )
    }
}
