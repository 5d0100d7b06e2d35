internal import ClusterModel
internal import KubernetesClient
internal import LinuxSystem
internal import ShootPlan
internal import TendrilCore

/// What runs in a shoot's kube-system looks like, and whether its nodes are reached.
enum SystemReport {
    private static let place = "/apis/apps/v1/namespaces/kube-system"
    /// So many of a kind are read at once; ours are fewer.
    private static let most = 20

    /// What is wrong.
    struct Problem {
        let text: String
        /// Whether it stays until what is ours is made again.
        var isLasting = false
    }

    /// Why not all is well; `nil` where it is.
    ///
    /// - Parameters:
    ///   - workloads: as `daemonsets/kube-proxy`.
    ///   - installed: how all that is ours was left.
    ///   - shoot: its API.
    ///   - nodes: all of its nodes; `nil` where it is to have none.
    /// - Returns: the worst that was found.
    /// - Throws: where the API does not answer.
    static func problem(
        _ workloads: [String],
        _ installed: InstalledObjects,
        _ shoot: KubernetesClient,
        _ nodes: [Node]?
    ) async throws(APIError) -> Problem? {
        let minute = Int(Clock.unixTime() / 60)
        let found = await listed(workloads, shoot)
        for workload in workloads {
            let parts = workload.split(separator: "/")
            guard parts.count == 2 else { continue }
            let path = "\(Self.place)/\(workload)"
            var document = found[path]
            if document == nil { document = try await shoot.findDocument(path) }
            guard var object = document else { return changed(path, isGone: true) }
            let isEverywhere = parts[0] == "daemonsets"
            object = object.merging(["kind": isEverywhere ? "DaemonSet" : "Deployment"])
            guard installed.isAsLeft(object, at: path) else { return changed(path) }
            // Pods that have no node to run on come with the first one.
            guard isEverywhere || nodes != nil else { continue }
            if let problem = RolloutState(object).problem { return Problem(text: "\(workload): \(problem)") }
        }
        // Of all that is ours each look takes one.
        let paths = installed.paths
        if !paths.isEmpty {
            let path = paths[minute % paths.count]
            let object = try await shoot.findDocument(path)
            guard let object, installed.isAsLeft(object, at: path) else { return changed(path, isGone: object == nil) }
        }
        let endpoints = try await shoot.findDocument("/api/v1/namespaces/default/endpoints/kubernetes")
        guard endpoints?["subsets"]?.items.first?["addresses"]?.items.first?["ip"]?.text == ReservedNetwork.apiServer
        else {
            let text = "pods do not find the API server: the endpoints of the kubernetes Service were changed"
            return Problem(text: text, isLasting: true)
        }
        guard let nodes else { return nil }
        // The API server reaches a kubelet only over the link. Each look asks another node.
        let ready = nodes.filter(\.isReady).map(\.name).sorted()
        guard !ready.isEmpty else { return Problem(text: "no node is ready") }
        let name = ready[minute % ready.count]
        do throws(APIError) {
            _ = try await shoot.text("/api/v1/nodes/\(ResourceKind.encoded(name))/proxy/healthz")
            return nil
        } catch {
            return Problem(text: "the link to \(name): \(error)")
        }
    }

    /// Those of several of a kind that one request brings, by their paths; what does not come so is asked for by itself.
    private static func listed(_ workloads: [String], _ shoot: KubernetesClient) async -> [String: JSONValue] {
        let kinds = Dictionary(grouping: workloads) { String($0.prefix { $0 != "/" }) }
        let query = "?limit=\(most)&labelSelector=\(ResourceKind.encoded(Ownership.selector))"
        var found: [String: JSONValue] = [:]
        for kind in kinds.filter({ $0.value.count > 1 }).keys.sorted() {
            let collection = "\(Self.place)/\(kind)"
            let list = try? await shoot.document(collection + query)
            for object in list?["items"]?.items ?? [] {
                if let name = object["metadata"]?["name"]?.text { found["\(collection)/\(name)"] = object }
            }
        }
        return found
    }

    private static func changed(_ path: String, isGone: Bool = false) -> Problem {
        let name = path.split(separator: "/").suffix(2).joined(separator: "/")
        return Problem(text: isGone ? "\(name) is gone" : "\(name) was changed by somebody else", isLasting: true)
    }
}

extension NodesReport {
    /// Reads what machines of a shoot say of themselves, and judges them and its nodes by what is wanted.
    static func read(
        _ nodes: [Node],
        _ shoot: KubernetesClient,
        _ work: ShootWork,
        generations: [String: Int]
    ) async throws(APIError) -> NodesReport {
        NodesReport(
            nodes,
            try await shoot.list(NodeBootstrap.self).items,
            work.facts.spec.workers,
            generations: generations,
            classes: work.machineClasses,
            release: work.facts.version
        )
    }
}
