package import ClusterModel
package import KubernetesClient
internal import LinuxSystem
package import ShootPlan
internal import TendrilCore

/// Looks at a shoot from outside, and says how it is.
package struct HealthCheck {
    private let work: ShootWork
    private let records: FlowRecords
    private let board: WorkloadBoard
    private let isAsleep: Bool
    private let client: () async throws -> KubernetesClient

    /// The reason of nodes that have more than this side knows of.
    static let nodesAhead = "NodesAhead"

    /// Takes where to look.
    ///
    /// - Parameters:
    ///   - work: whose shoot it is.
    ///   - records: what was done for it.
    ///   - board: how its control plane is.
    ///   - isAsleep: whether what was to sleep does.
    ///   - client: the shoot's API.
    package init(
        work: ShootWork,
        records: FlowRecords,
        board: WorkloadBoard,
        isAsleep: Bool,
        client: @escaping () async throws -> KubernetesClient
    ) {
        (self.work, self.records, self.board, self.isAsleep, self.client) = (work, records, board, isAsleep, client)
    }

    /// The four conditions as they are now, and one more where CAs end soon.
    package func conditions() async -> [Condition] {
        let authorities = try? records.output(TaskName.authorities, as: AuthoritiesTask.Output.self)
        let expiry = AuthorityLife.condition(authorities?.ends ?? [:], at: Clock.unixTime())
        return await states() + (expiry.map { [$0] } ?? [])
    }

    private func states() async -> [Condition] {
        if work.facts.isHibernated {
            return ShootCondition.allCases.map {
                let (status, reason, message) =
                    isAsleep
                    ? ("True", "Hibernated", "the shoot sleeps") : ("Unknown", "Hibernating", "the shoot falls asleep")
                return Condition($0.rawValue, status: status, reason: reason, message: message)
            }
        }
        let plane = controlPlane
        let shoot: KubernetesClient
        let nodes: [Node]
        let available = condition(.apiServerAvailable, nil)
        do {
            shoot = try await client()
            do throws(APIError) {
                // Whoever gives its nodes is there, and its etcd, too.
                nodes = try await shoot.list(Node.self).items
            } catch {
                _ = try await shoot.hasty(.seconds(5), triesAgain: false).text("/readyz")
                let reason = "\(error)"
                return [available, plane, unknown(.everyNodeReady, reason), unknown(.systemComponentsHealthy, reason)]
            }
        } catch {
            let unknown = [ShootCondition.everyNodeReady, .systemComponentsHealthy].map {
                Condition($0.rawValue, status: "Unknown", reason: "APIServerDown", message: "the API server is down")
            }
            return [condition(.apiServerAvailable, "\(error)"), plane] + unknown
        }
        return [available, plane, await readiness(nodes, shoot), await system(nodes, shoot)]
    }

    private var controlPlane: Condition {
        guard let problems = board.problems(in: work.namespace) else {
            return unknown(.controlPlaneHealthy, "the seed's workloads are not read yet")
        }
        return condition(.controlPlaneHealthy, problems.isEmpty ? nil : problems.joined(separator: "; "))
    }

    private func readiness(_ nodes: [Node], _ shoot: KubernetesClient) async -> Condition {
        let generations = try? records.output(TaskName.nodeConfigurations, as: [String: Int].self)
        do throws(APIError) {
            let report = try await NodesReport.read(nodes, shoot, work, generations: generations ?? [:])
            guard !report.isAhead else {
                var ahead = condition(.everyNodeReady, "nodes have applied more than is known: all is done again")
                ahead.reason = Self.nodesAhead
                return ahead
            }
            let well = report.ready == 1 ? "1 node is ready" : "\(report.ready) nodes are ready"
            return condition(.everyNodeReady, report.problem ?? report.ailment, well: well)
        } catch {
            return unknown(.everyNodeReady, "\(error)")
        }
    }

    private func system(_ nodes: [Node], _ shoot: KubernetesClient) async -> Condition {
        let addons = try? records.output(TaskName.addons, as: AddonsTask.Output.self)
        let leftOut = addons?.leftOut ?? []
        do throws(APIError) {
            let expected = work.facts.hasNodes ? nodes : nil
            let installed = InstalledObjects(records)
            let problem = try await SystemReport.problem(addons?.workloads ?? [], installed, shoot, expected)
            let well = leftOut.isEmpty ? nil : "left out, for no image is at hand: \(leftOut.joined(separator: ", "))"
            return condition(.systemComponentsHealthy, problem?.text, well: well)
        } catch {
            return unknown(.systemComponentsHealthy, "\(error)")
        }
    }

    private func condition(_ type: ShootCondition, _ problem: String?, well: String? = nil) -> Condition {
        Condition(
            type.rawValue,
            status: problem == nil ? "True" : "False",
            reason: problem == nil ? "Healthy" : "Unhealthy",
            message: String((problem ?? well ?? "all is well").prefix(1000))
        )
    }

    private func unknown(_ type: ShootCondition, _ reason: String) -> Condition {
        Condition(type.rawValue, status: "Unknown", reason: "CannotTell", message: reason)
    }
}

extension Condition {
    /// New conditions with the times of those that they continue; `nil` where nothing changed.
    static func merged(_ new: [Condition], into old: [Condition], at time: UInt64) -> [Condition]? {
        var changed = false
        let merged = new.map { condition in
            var condition = condition
            let before = old[condition.type]
            condition.lastTransitionTime =
                before?.status == condition.status
                ? before?.lastTransitionTime : KubernetesTime.text(seconds: time)
            if before?.status != condition.status || before?.message != condition.message
                || before?.reason != condition.reason
            {
                changed = true
            }
            return condition
        }
        return changed || old.count != new.count ? merged : nil
    }
}
