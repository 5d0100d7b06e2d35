internal import ClusterModel

/// The names of tasks, by which they are remembered.
package enum TaskName {
    /// The shoot's namespace in the seed.
    package static let namespace = ShootStatus.TaskError.namespace
    /// What images of the control plane are pulled by.
    package static let pullSecrets = "pull-secrets"
    /// The addresses of the control plane.
    package static let services = "services"
    /// CAs and keys.
    package static let authorities = "authorities"
    /// Certificates of those whom the CAs vouch for.
    package static let certificates = "certificates"
    /// The network and all that machines need.
    package static let infrastructure = "infrastructure"
    /// The store.
    package static let etcd = "etcd"
    /// The API server, begun.
    package static let apiServer = "kube-apiserver"
    /// The API server, answering.
    package static let apiAnswers = "api-answers"
    /// kube-controller-manager and kube-scheduler.
    package static let controllers = "controllers"
    static let system = "system"
    /// What nodes are told.
    package static let nodeConfigurations = "node-configurations"
    /// Groups of machines.
    package static let machines = "machines"
    /// Machines of another class in the place of old ones.
    package static let replacement = "machine-replacement"
    /// What runs in kube-system.
    package static let addons = "addons"
    /// What people come with.
    package static let access = "access"
    /// What people come with, renewed by itself.
    package static let accessRenewal = "access-renewal"
    static let secrets = "secrets"
    /// What makes snapshots of the store.
    package static let snapshots = "snapshots"
    /// The Job that puts a snapshot in place, begun.
    package static let restorationJob = "restoration-job"
    /// A snapshot in the place of what the store has.
    package static let restoration = "restoration"
    /// The wait for nodes.
    package static let nodesReady = "nodes-ready"
    /// The wait for kube-system and the link.
    package static let systemReady = "system-ready"

    /// Those that wait for what ends when the shoot goes to sleep.
    static let awaited = [apiAnswers, nodesReady, systemReady]
    /// Those that are done anew once the shoot has slept: what they waited for has ended, or what they copied changed.
    static let lostAsleep = awaited + [pullSecrets]
    /// Those that make something in a cloud: machines may fail at a network that is not there any more.
    static let inCloud = [infrastructure, machines]
    /// Those that make something in the shoot, or wait for it.
    static let inShoot = awaited + [system, nodeConfigurations, machines, replacement, addons, secrets]
}
