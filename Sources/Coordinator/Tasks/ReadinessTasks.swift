internal import ClusterModel
internal import KubernetesClient
internal import LinuxSystem
internal import ShootPlan
internal import TendrilCore

/// The end of a flow: what was made is there and works.
enum ReadinessTasks {
    static func nodes(_ work: ShootWork, _ provider: any InfrastructureProvider) -> ShootTask {
        ShootTask(
            name: TaskName.nodesReady,
            title: "Waiting for nodes",
            after: [TaskName.replacement],
            isWaiting: true,
            inputs: { records in
                [
                    "replaced": .string(records.tasks[TaskName.replacement]?.inputs ?? ""),
                    "configurations": records[TaskName.nodeConfigurations] ?? .null,
                    "machines": records[TaskName.machines] ?? .null,
                ]
            },
            perform: { records in
                let shoot = try await work.shootClient()
                let generations = try records.output(TaskName.nodeConfigurations, as: [String: Int].self)
                let repair = MachineRepair(work, provider, records, shoot)
                var due = Clock.now() + MachineRepair.period
                try await Waiting.untilWell(.seconds(1200), every: .milliseconds(500), for: "nodes") {
                    if Clock.now() >= due {
                        due = Clock.now() + MachineRepair.period
                        await repair.attend(at: Clock.unixTime())
                    }
                    let nodes = try await shoot.list(Node.self).items
                    let report = try await NodesReport.read(nodes, shoot, work, generations: generations)
                    return report.problem.map { .init($0, left: report.lagging) }
                }
                try await MachineRepair.forget(work)
                return [:]
            }
        )
    }

    static func system(_ work: ShootWork) -> ShootTask {
        ShootTask(
            name: TaskName.systemReady,
            title: "Waiting for kube-system and the link",
            after: [TaskName.addons, TaskName.nodesReady],
            isWaiting: true,
            inputs: { records in
                [
                    "addons": records[TaskName.addons] ?? .null,
                    "nodes": .string(records.tasks[TaskName.nodesReady]?.inputs ?? ""),
                ]
            },
            perform: { records in
                let shoot = try await work.shootClient()
                let addons = try records.output(TaskName.addons, as: AddonsTask.Output.self)
                let installed = InstalledObjects(records)
                try await Waiting.untilWell(.seconds(600), for: "kube-system") {
                    let nodes = work.facts.hasNodes ? try await shoot.list(Node.self).items : nil
                    let problem = try await SystemReport.problem(addons.workloads, installed, shoot, nodes)
                    // Waiting does not bring it back; the next flow makes everything again.
                    if let problem, problem.isLasting { throw TaskFailure(.removed, problem.text) }
                    return problem.map { .init($0.text) }
                }
                return [:]
            }
        )
    }
}
