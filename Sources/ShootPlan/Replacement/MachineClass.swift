package import ClusterModel

/// What a machine has from its start and never takes on later: its image and its type.
///
/// Everything else reaches a machine as a generation of its configuration; machines of another class are replaced.
package enum MachineClass {
    /// The class of a pool's machines, such as `ami-0a1b2c3d/m5.large`; `nil` where the provider cannot end single
    /// machines, so that those that there are take every generation.
    package static func of(_ pool: Shoot.Worker, _ image: MachineImage, at provider: Shoot.ProviderType) -> String? {
        guard provider.endsSingleMachines else { return nil }
        return [image.ami ?? image.name, pool.machineType].compactMap { $0 }.joined(separator: "/")
    }
}

extension Shoot.ProviderType {
    /// Whether a certain machine of a pool can be ended, and not just any.
    package var endsSingleMachines: Bool {
        switch self {
        case .local: true
        case .aws: false
        }
    }
}
