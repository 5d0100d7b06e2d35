internal import ClusterModel
internal import HTTPModel
internal import KubernetesClient
internal import LinuxSystem
internal import Logging
internal import NodePlan
internal import ShootPlan
internal import TendrilCore

/// What all shoots of a coordinator share.
struct CoordinatorEnvironment: Sendable {
    let configuration: CoordinatorConfiguration
    private(set) var garden: KubernetesClient
    private(set) var seed: KubernetesClient
    let seedVersion: KubernetesVersion
    let transport: any HTTPTransport
    /// The coordinators that share the seed's shoots.
    let peers: Peers
    /// Whether this process may still change what this is about.
    private(set) var mayWrite: @Sendable () -> Bool = { true }
    let logger: Logger
    let slots: Slots
    /// Bounds how many shoots are looked at, at the same time: so many connections are followed at once.
    let looks = Slots(48)
    let counts: CoordinatorCounts
    /// The own seed as it was last heard of.
    let ownSeed = Guarded<Seed?>(nil)
    let board = WorkloadBoard()
    let places: SeedPlaces

    /// The same for what belongs to a key: it writes only as long as this process is the key's owner.
    func fenced(for key: String) -> CoordinatorEnvironment {
        var copy = self
        let mayWrite: @Sendable () -> Bool = { [peers] in peers.mayAct(for: key) }
        copy.garden = garden.fenced(limit: Membership.requestLimit, mayWrite)
        copy.seed = seed.fenced(limit: Membership.requestLimit, mayWrite)
        copy.mayWrite = mayWrite
        return copy
    }

    /// Everything that is wrong with a shoot, and with its change from what was wanted before.
    ///
    /// - Parameters:
    ///   - shoot: as it is wanted.
    ///   - before: as it was accepted last.
    ///   - seed: which is to host it, where that is known.
    /// - Returns: the problems.
    /// - Throws: `TaskFailure` where nobody here makes such machines.
    func problems(_ shoot: Shoot, before: Shoot.Spec?, seed: Seed.Spec?) throws -> [ConfigurationProblem] {
        ShootRules.problems(shoot, seed: seed, images: configuration.machineImages)
            + (try provider(shoot.spec.provider.type).problems(shoot.spec)) + Self.changeProblems(shoot, before)
    }

    private static func changeProblems(_ shoot: Shoot, _ before: Shoot.Spec?) -> [ConfigurationProblem] {
        guard let before else { return [] }
        return ShootRules.problems(changing: before, to: shoot.spec, finished: shoot.status?.kubernetesVersion)
    }

    /// The same for a shoot that is not stored yet: seeds that others serve are theirs to judge.
    func admissionProblems(_ shoot: Shoot, before: Shoot.Spec?) -> [ConfigurationProblem] {
        guard let seed = shoot.spec.seedName, seed == configuration.seed else {
            return ShootRules.problems(shoot) + Self.changeProblems(shoot, before)
        }
        do {
            return try problems(shoot, before: before, seed: ownSeed.withLock { $0 }?.spec)
        } catch {
            return [ConfigurationProblem("spec.provider.type", "\(error)")]
        }
    }

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
