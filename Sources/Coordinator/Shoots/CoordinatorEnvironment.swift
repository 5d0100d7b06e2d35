internal import ClusterModel
internal import HTTPTransfer
internal import KubernetesClient
internal import LinuxSystem
internal import Logging
internal import NodePlan
internal import TendrilCore

/// What all shoots of a coordinator share.
struct CoordinatorEnvironment: Sendable {
    let configuration: CoordinatorConfiguration
    let garden: KubernetesClient
    let seed: KubernetesClient
    let seedVersion: KubernetesVersion
    let transport: any HTTPTransport
    /// Whether this process may still change anything.
    let mayWrite: @Sendable () -> Bool
    let logger: Logger
    let slots: Slots
    let counts: CoordinatorCounts

    /// Who makes the machines of a shoot.
    func provider(_ type: Shoot.ProviderType) throws -> any InfrastructureProvider {
        switch type {
        case .local: return LocalProvider()
        case .aws:
            guard let terraform = configuration.terraform else {
                throw TaskFailure(.configuration, "spec.provider.type: this coordinator has no terraform")
            }
            return AWSProvider(settings: terraform)
        }
    }
}
