package import ClusterModel
internal import NodePlan

/// What a machine has from its start and never takes on later: its image, its type, and the program that it fetches.
///
/// Everything else reaches a machine as a generation of its configuration; machines of another class are replaced.
package enum MachineClass {
    /// The class of a pool's machines, such as `ami-0a1b2c3d/m5.large`; whatever the names hold, it is one word.
    package static func of(_ pool: Shoot.Worker, _ image: MachineImage) -> String {
        let program = image.program.sha256.map { String($0.prefix(12)) }
        return [image.ami ?? image.name, pool.machineType, program].compactMap { $0 }.map(ResourceKind.encoded)
            .joined(separator: "/")
    }
}
