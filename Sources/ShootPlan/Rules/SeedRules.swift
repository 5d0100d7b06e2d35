package import ClusterModel
package import TendrilCore

/// Judges what a schema cannot say of a Seed.
package enum SeedRules {
    /// Everything that is wrong with a seed; none means that it can host shoots.
    ///
    /// - Parameter seed: as it is wanted.
    /// - Returns: the problems, each with its field.
    package static func problems(_ seed: Seed) -> [ConfigurationProblem] {
        var problems: [ConfigurationProblem] = []
        if seed.name.isEmpty { problems.append(ConfigurationProblem("metadata.name", "is missing")) }
        if seed.spec.exposure.type == .nodePort, (seed.spec.exposure.address ?? "").isEmpty {
            problems.append(ConfigurationProblem("spec.exposure.address", "is missing: where NodePort is reached"))
        }
        return problems + networks(seed.spec.networks)
    }

    private static func networks(_ networks: Seed.Networks) -> [ConfigurationProblem] {
        var problems: [ConfigurationProblem] = []
        var known: [(path: String, prefix: IPPrefix)] = []
        for (name, text) in [("pods", networks.pods), ("services", networks.services), ("nodes", networks.nodes)] {
            let path = "spec.networks.\(name)"
            guard let prefix = IPPrefix(text) else {
                problems.append(ConfigurationProblem(path, "\(text) is no network, such as 10.0.0.0/16"))
                continue
            }
            for other in known where other.prefix.overlaps(prefix) {
                problems.append(ConfigurationProblem(path, "\(text) overlaps \(other.path), \(other.prefix)"))
            }
            known.append((path, prefix))
        }
        return problems
    }
}
