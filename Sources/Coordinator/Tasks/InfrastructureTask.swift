internal import ShootPlan
internal import TendrilCore

/// The network and all that machines need.
enum InfrastructureTask {
    static func make(_ work: ShootWork, _ provider: any InfrastructureProvider) -> ShootTask {
        ShootTask(
            name: TaskName.infrastructure,
            title: "Making the infrastructure",
            after: [TaskName.namespace],
            inputs: { _ in try provider.inputs(work) },
            perform: { records in
                if !work.asksCloud, records.isUnchanged(TaskName.infrastructure),
                    let made = records[TaskName.infrastructure]
                {
                    return made
                }
                return try await provider.prepare(work)
            }
        )
    }
}
