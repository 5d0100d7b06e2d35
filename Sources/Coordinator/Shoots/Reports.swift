internal import ClusterModel
internal import KubernetesClient
internal import TendrilCore

/// What the nodes of a shoot look like beside its pools.
struct NodesReport {
    let ready: Int
    let wanted: Int
    /// Why not all is well, in one line; `nil` where it is.
    let problem: String?

    init(_ nodes: [Node], _ bootstraps: [NodeBootstrap], _ pools: [Shoot.Worker]) {
        wanted = pools.reduce(0) { $0 + $1.minimum }
        ready = nodes.count { $0.isReady }
        var problems = nodes.filter { !$0.isReady }.map { "node \($0.metadata.name ?? "") is not ready" }
        let known = Set(nodes.compactMap(\.metadata.name))
        // Machines that never became nodes say themselves why.
        for bootstrap in bootstraps where !known.contains(bootstrap.metadata.name ?? "") {
            guard let status = bootstrap.status, let error = status.error else { continue }
            problems.append("machine \(bootstrap.metadata.name ?? ""), \(status.phase.rawValue): \(error)")
        }
        for pool in pools {
            let there = nodes.count { $0.metadata.labels?[TokenGrant.poolLabel] == pool.name }
            if there < pool.minimum { problems.append("pool \(pool.name): \(there) of \(pool.minimum) nodes") }
        }
        problem = problems.isEmpty ? nil : problems.sorted().prefix(5).joined(separator: "; ")
    }
}

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
            if let problem = Rollout.problem(object) { return "\(workload): \(problem)" }
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
