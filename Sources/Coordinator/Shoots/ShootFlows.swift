internal import ClusterModel
package import ShootPlan
internal import TendrilCore

/// The graphs of tasks: what is done for a shoot, in which order.
package enum ShootFlows {
    /// From nothing, or from any state, to an active cluster.
    package static func reconcile(_ work: ShootWork, _ provider: any InfrastructureProvider, _ rotation: Rotation)
        -> [ShootTask]
    {
        // Who was let in once is so also while pods cannot be made anew: a certificate is good for a day.
        let isLetIn = rotation.isInForce && work.shoot.status?.observedGeneration != nil
        return [
            NamespaceTask.make(work), PullSecretsTask.make(work), ServicesTask.make(work), AuthoritiesTask.make(work),
            InfrastructureTask.make(work, provider), CertificatesTask.make(work),
            ControlPlaneTasks.etcd(work, after: [TaskName.certificates, TaskName.pullSecrets]),
            ControlPlaneTasks.apiServer(work, after: [TaskName.etcd]), ControlPlaneTasks.apiAnswers(work),
            SystemTask.make(work), ControlPlaneTasks.controllers(work, after: [TaskName.system]),
            NodeConfigurationsTask.make(work, rotation),
            MachinesTask.make(work, provider, after: [TaskName.nodeConfigurations, TaskName.infrastructure]),
            ReplacementTask.make(work, provider), AddonsTask.make(work),
            AccessTask.make(work, after: [isLetIn ? TaskName.certificates : TaskName.apiAnswers]),
            ReadinessTasks.nodes(work, provider), ReadinessTasks.system(work),
        ] + (rotation.usesNewKeys ? [SecretsTask.make(work, rotation)] : [])
    }

    /// To a cluster that sleeps: no machines, then no control plane; data and credentials stay.
    static func hibernate(_ work: ShootWork, _ provider: any InfrastructureProvider) -> [ShootTask] {
        // What needs no pod is there also for a shoot that is made asleep.
        beginnings(work) + [
            MachinesTask.make(work, provider, after: [TaskName.certificates]),
            ControlPlaneTasks.controllers(work, after: [TaskName.machines]),
            ControlPlaneTasks.apiServer(work, after: [TaskName.controllers]),
            ControlPlaneTasks.etcd(work, after: [TaskName.apiServer]),
        ]
    }

    /// What needs no pod, and what all pods are made with.
    private static func beginnings(_ work: ShootWork) -> [ShootTask] {
        [NamespaceTask.make(work), ServicesTask.make(work), AuthoritiesTask.make(work), CertificatesTask.make(work)]
    }

    /// To a control plane that stands still with what a snapshot held: whoever is left of it sees no other data come.
    ///
    /// - Parameters:
    ///   - work: of the shoot.
    ///   - restoration: which snapshot.
    ///   - grace: how long an API server may go on that was told to end.
    ///   - isKnown: whether it is remembered what pods are made with; otherwise that is found first.
    /// - Returns: the tasks.
    static func restore(
        _ work: ShootWork,
        _ restoration: Restoration,
        grace: Nanoseconds,
        isKnown: Bool
    ) -> [ShootTask] {
        let rest = work.atRest
        let stopping = [
            ControlPlaneTasks.controllers(rest, after: isKnown ? [] : [TaskName.certificates]),
            ControlPlaneTasks.apiServer(rest, after: [TaskName.controllers]),
            ControlPlaneTasks.etcd(rest, after: [TaskName.apiServer]),
        ]
        let found = isKnown ? [] : beginnings(work)
        return found + stopping.map { RestorationTask.preparing($0, work, restoration) }
            + RestorationTask.make(work, restoration, after: [TaskName.etcd], grace: grace)
    }

    /// What people come with, while all else waits for the maintenance window.
    static func renewAccess(_ work: ShootWork) -> [ShootTask] { [AccessTask.renew(work)] }

    /// To nothing: what its objects have in a cloud, machines, infrastructure, the namespace with all that is in it, what people
    /// were given.
    static func delete(_ work: ShootWork, _ provider: any InfrastructureProvider) -> [ShootTask] {
        DeletionTasks.all(work, provider)
    }
}
