package import ClusterModel
internal import NodePlan

/// What a machine has from its start and never takes on later: its image, its type, and the program that it fetches.
///
/// Everything else reaches a machine as a generation of its configuration; machines of another class are replaced.
package enum MachineClass {
    /// The class of a pool's machines, such as `ami-0a1b2c3d/m5.large`; whatever the names hold, it is one word.
    package static func of(_ pool: Shoot.Worker, _ image: MachineImage) -> String {
        joined([image.ami ?? image.name, pool.machineType, program(image)])
    }

    /// The class of those that a pool's configuration is for: any program will do.
    ///
    /// Agents of earlier releases know their class without it, and take a configuration of no other.
    package static func ofConfiguration(_ pool: Shoot.Worker, _ image: MachineImage) -> String {
        joined([image.ami ?? image.name, pool.machineType])
    }

    private static func program(_ image: MachineImage) -> String? {
        image.program.sha256.map { String($0.prefix(ClassName.programDigits)) }
    }

    private static func joined(_ parts: [String?]) -> String {
        parts.compactMap { $0 }.map(ResourceKind.encoded).joined(separator: "/")
    }
}
