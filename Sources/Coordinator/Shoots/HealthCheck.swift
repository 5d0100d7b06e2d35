internal import ClusterModel
internal import KubernetesClient
internal import LinuxSystem
internal import ShootPlan
internal import TendrilCore

/// Looks at a shoot from outside, and says how it is.
struct HealthCheck: Sendable {
    let work: ShootWork
    let records: FlowRecords

    /// The four conditions as they are now.
    func conditions() async -> [Condition] {
        if work.facts.isHibernated {
            return ShootCondition.allCases.map {
                Condition($0.rawValue, status: "True", reason: "Hibernated", message: "the shoot sleeps")
            }
        }
        async let plane = controlPlane()
        let shoot: KubernetesClient
        do {
            shoot = try await work.shootClient()
            _ = try await shoot.text("/readyz")
        } catch {
            let unknown = [ShootCondition.everyNodeReady, .systemComponentsHealthy].map {
                Condition($0.rawValue, status: "Unknown", reason: "APIServerDown", message: "the API server is down")
            }
            return [condition(.apiServerAvailable, "\(error)"), await plane] + unknown
        }
        return [
            condition(.apiServerAvailable, nil), await plane, await nodes(shoot), await system(shoot),
        ]
    }

    private func controlPlane() async -> Condition {
        do throws(APIError) {
            let base = "/apis/apps/v1/namespaces/\(work.namespace)"
            var workloads = try await work.seed.document("\(base)/deployments")["items"]?.items ?? []
            workloads += try await work.seed.document("\(base)/statefulsets")["items"]?.items ?? []
            let problems = workloads.compactMap { object in
                Rollout.problem(object).map { "\(object["metadata"]?["name"]?.text ?? ""): \($0)" }
            }
            let problem = workloads.isEmpty ? "nothing runs" : problems.isEmpty ? nil : problems.joined(separator: "; ")
            return condition(.controlPlaneHealthy, problem)
        } catch {
            return unknown(.controlPlaneHealthy, error)
        }
    }

    private func nodes(_ shoot: KubernetesClient) async -> Condition {
        let generations = try? records.output(TaskName.nodeConfigurations, as: [String: Int].self)
        do throws(APIError) {
            let report = try await NodesReport.read(shoot, work, generations: generations ?? [:])
            return condition(.everyNodeReady, report.problem, well: "\(report.ready) nodes are ready")
        } catch {
            return unknown(.everyNodeReady, error)
        }
    }

    private func system(_ shoot: KubernetesClient) async -> Condition {
        let addons = try? records.output(TaskName.addons, as: AddonsTask.Output.self)
        let leftOut = addons?.leftOut ?? []
        do throws(APIError) {
            let problem = try await SystemReport.problem(addons?.workloads ?? [], shoot, hasNodes: work.facts.hasNodes)
            let well = leftOut.isEmpty ? nil : "left out, for no image is at hand: \(leftOut.joined(separator: ", "))"
            return condition(.systemComponentsHealthy, problem, well: well)
        } catch {
            return unknown(.systemComponentsHealthy, error)
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

    private func unknown(_ type: ShootCondition, _ error: APIError) -> Condition {
        Condition(type.rawValue, status: "Unknown", reason: "CannotTell", message: "\(error)")
    }
}

extension Condition {
    /// New conditions with the times of those that they continue; `nil` where nothing changed.
    static func merged(_ new: [Condition], into old: [Condition], at time: UInt64) -> [Condition]? {
        var changed = false
        let merged = new.map { condition in
            var condition = condition
            let before = old.first { $0.type == condition.type }
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
