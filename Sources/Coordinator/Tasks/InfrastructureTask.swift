internal import TendrilCore

/// The network and all that machines need.
enum InfrastructureTask {
    static func make(_ work: ShootWork, _ provider: any InfrastructureProvider) -> ShootTask {
        ShootTask(
            name: TaskName.infrastructure,
            title: "Making the infrastructure",
            after: [TaskName.namespace],
            inputs: { _ in try provider.inputs(work) },
            perform: { _ in try await provider.prepare(work) }
        )
    }
}
