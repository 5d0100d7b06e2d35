package import ClusterModel
internal import TendrilCore

/// Judges whether a seed may host a shoot that names none.
package enum SeedFit {
    /// Why it may not; `nil` where it may.
    ///
    /// - Parameters:
    ///   - seed: as it is now.
    ///   - shoot: names no seed.
    ///   - hosted: how many shoots the seed has.
    /// - Returns: the reason in one line.
    package static func reason(_ seed: Seed, against shoot: Shoot, hosted: Int) -> String? {
        if seed.metadata.deletionTimestamp != nil { return "it is being deleted" }
        let own = SeedRules.problems(seed)
        guard own.isEmpty else { return "it can host none: \(own.line)" }
        if seed.spec.unschedulable { return "it takes no new shoots" }
        if hosted >= seed.spec.capacity { return "it is full with \(hosted) shoots" }
        if let region = shoot.spec.region, region != seed.spec.region {
            return "it is in \(seed.spec.region ?? "no region"), not in \(region)"
        }
        let alone = Set(ShootRules.problems(shoot))
        let here = ShootRules.problems(shoot, seed: seed.spec).filter { !alone.contains($0) }
        return here.isEmpty ? nil : here.line
    }
}
