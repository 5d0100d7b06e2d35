internal import ClusterModel
package import HTTPModel
package import KubernetesClient
internal import LinuxSystem
package import Logging
package import NodePlan
package import ShootPlan
package import TendrilCore

/// What all shoots of a coordinator share.
package struct CoordinatorEnvironment: Sendable {
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
    /// Bounds how many ask the store of snapshots at the same time; who finds no place there looks another time.
    let stores = Slots(16)
    package let counts: CoordinatorCounts
    /// The own seed as it was last heard of.
    let ownSeed = Guarded<Seed?>(nil)
    let board = WorkloadBoard()
    /// Which shoots have a place in the seed.
    package let places: SeedPlaces
    /// How long an API server may go on that was told to end: the 30 s of its pod, and some for its kubelet.
    package var serverGrace = Nanoseconds.seconds(35)

    /// Takes what there is one of.
    ///
    /// - Parameters:
    ///   - configuration: what the coordinator was told at its start.
    ///   - garden: where people's objects are.
    ///   - seed: where control planes run.
    ///   - seedVersion: the seed's release.
    ///   - transport: carries the requests to shoots.
    ///   - peers: the coordinators that share the seed's shoots.
    ///   - logger: hears what is done.
    ///   - slots: bounds how many tasks are performed at the same time.
    ///   - counts: what is counted of all shoots.
    ///   - places: which shoots have a place in the seed.
    package init(
        configuration: CoordinatorConfiguration,
        garden: KubernetesClient,
        seed: KubernetesClient,
        seedVersion: KubernetesVersion,
        transport: any HTTPTransport,
        peers: Peers,
        logger: Logger,
        slots: Slots,
        counts: CoordinatorCounts,
        places: SeedPlaces
    ) {
        (self.configuration, self.garden, self.seed) = (configuration, garden, seed)
        (self.seedVersion, self.transport, self.peers) = (seedVersion, transport, peers)
        (self.logger, self.slots, self.counts, self.places) = (logger, slots, counts, places)
    }

    /// The same for what belongs to a key: it writes only as long as this process is the key's owner.
    package func fenced(for key: String) -> CoordinatorEnvironment {
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
    ///   - made: what its provider has made, where that is known better than its status says it.
    /// - Returns: the problems.
    /// - Throws: `TaskFailure` where nobody here makes such machines.
    func problems(
        _ shoot: Shoot,
        before: Shoot.Spec?,
        seed: Seed.Spec?,
        made: JSONValue? = nil
    ) throws -> [ConfigurationProblem] {
        _ = try provider(shoot.spec.provider.type)
        let problems = ShootRules.problems(shoot, seed: seed, images: configuration.machineImages)
        let accepted = before.map { spec in
            var accepted = shoot
            accepted.spec = spec
            return accepted
        }
        return ShootRules.new(problems, of: shoot, since: accepted)
            + ShootRules.changes(to: shoot, since: before, made: made)
            + CertificateRules.problems(shoot.spec, since: before)
    }

    /// The same for a shoot that is not stored yet: seeds that others serve are theirs to judge.
    func admissionProblems(_ shoot: Shoot, before: Shoot.Spec?) -> [ConfigurationProblem] {
        guard let seed = shoot.spec.seedName, seed == configuration.seed else {
            return ShootRules.problems(shoot) + ShootRules.changes(to: shoot, since: before)
                + CertificateRules.problems(shoot.spec, since: before)
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
