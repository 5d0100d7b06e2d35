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

    /// How many other seeds a shoot rather goes to, as far as it is known that they take it: those with a smaller share of their
    /// places in use, and of equal ones those whose names come first.
    ///
    /// Of all seeds that take it exactly one has none before it.
    ///
    /// - Parameters:
    ///   - seed: takes it.
    ///   - shoot: names no seed.
    ///   - seeds: all that there are; those that nobody takes care of do not count.
    ///   - hosted: how many shoots a seed has, by its name.
    /// - Returns: how many.
    package static func betterThan(
        _ seed: Seed,
        for shoot: Shoot,
        among seeds: [Seed],
        hosted: (String) -> Int
    ) -> Int {
        func place(_ seed: Seed) -> (share: Double, name: String) {
            // One without any places takes none, and is not asked here.
            (Double(hosted(seed.name)) / Double(max(seed.spec.capacity, 1)), seed.name)
        }
        let own = place(seed)
        return seeds.count { other in
            other.name != seed.name && other.isReady && reason(other, against: shoot, hosted: hosted(other.name)) == nil
                && place(other) < own
        }
    }
}

extension Seed {
    /// Whether a coordinator says that it takes care of it.
    fileprivate var isReady: Bool { status?.conditions?[Seed.ready]?.status == "True" }
}
