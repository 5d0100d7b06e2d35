package import ClusterModel
internal import NodePlan
package import TendrilCore

/// Judges what a schema cannot say of a Seed.
package enum SeedRules {
    /// Everything that is wrong with a seed; none means that it can host shoots.
    ///
    /// - Parameter seed: as it is wanted.
    /// - Returns: the problems, each with its field.
    package static func problems(_ seed: Seed) -> [ConfigurationProblem] {
        var problems: [ConfigurationProblem] = []
        problems.require(!seed.name.isEmpty, "metadata.name", "is missing")
        let isReached = seed.spec.exposure.type != .nodePort || !(seed.spec.exposure.address ?? "").isEmpty
        problems.require(isReached, "spec.exposure.address", "is missing: where NodePort is reached")
        for key in (seed.spec.exposure.annotations ?? [:]).keys.sorted() where !LabelRules.isKey(key) {
            problems.add("spec.exposure.annotations[\(key)]", "is no annotation's key")
        }
        problems += PlacementRules.problems(seed.spec)
        if let snapshots = seed.spec.snapshots { problems += SnapshotRules.problems(snapshots) }
        var rules = NetworkRules()
        rules.add("spec.networks.pods", seed.spec.networks.pods)
        rules.add("spec.networks.services", seed.spec.networks.services)
        // Where a cloud's plug-in gives pods addresses of the machines' network both are of one range (EKS, "Amazon VPC CNI").
        rules.add("spec.networks.nodes", seed.spec.networks.nodes, besides: "spec.networks.pods")
        return problems + rules.problems
    }
}
