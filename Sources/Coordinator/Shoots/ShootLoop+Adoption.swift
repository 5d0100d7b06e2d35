internal import ClusterModel
internal import KubernetesClient
internal import LinuxSystem
internal import ShootPlan
internal import TendrilCore

/// Whose a shoot is: the seed's that is named, or else one's that takes it.
extension ShootLoop {
    /// How many seconds each seed that is emptier has to take a shoot before this one does.
    private static let precedence: UInt64 = 5
    /// How many of them this one lets go first.
    private static let mostBefore = 6

    /// The shoot with our finalizer, if it is ours; `nil` where it is another seed's, and where it has just become ours: the event
    /// of that leads to whoever is to look after it.
    func adopted(_ shoot: Shoot) async throws -> Shoot? {
        let isPlaced = shoot.spec.seedName != nil
        let own = environment.configuration.seed
        let host = shoot.status?.seedName
        // The one that hosts it goes on with what it has; whoever is named now says that this cannot be.
        guard host == own || (isPlaced ? shoot.spec.seedName == own : host == nil) else { return nil }
        if shoot.isBeingDeleted, let host, host != own { return nil }
        let moved = ShootRules.problems(hostedBy: host, movedTo: own)
        guard moved.isEmpty else { throw ConfigurationError(moved) }
        let finalizers = shoot.metadata.finalizers ?? []
        // Who hosts it goes on with it when its owner takes the seed's name away; that is written down again.
        let isHosted = host == own && finalizers.contains(ShootAnnotation.finalizer)
        if isPlaced || shoot.isBeingDeleted && isHosted, finalizers.contains(ShootAnnotation.finalizer) { return shoot }
        // Never touched and to be deleted: there is nothing to do.
        if shoot.isBeingDeleted { return nil }
        if !isPlaced, !isHosted { try await promise(shoot) }
        do {
            self.shoot = try await claim(shoot, isPlaced: isPlaced)
        } catch {
            if !isPlaced, !isHosted { environment.places.withdraw(shoot.key) }
            throw error
        }
        return isPlaced ? self.shoot : nil
    }

    /// Writes down that a shoot is ours.
    private func claim(_ shoot: Shoot, isPlaced: Bool) async throws -> Shoot {
        // What led here may have taken a while.
        let newest = self.shoot.metadata
        let finalizers = (newest.finalizers ?? []) + [ShootAnnotation.finalizer]
        // The version in it makes two coordinators that want the same shoot collide instead of sharing it.
        var change: [String: JSONValue] = [
            "metadata": [
                "finalizers": .array(finalizers.map { .string($0) }),
                "resourceVersion": .string(newest.resourceVersion ?? ""),
            ]
        ]
        if !isPlaced { change["spec"] = ["seedName": .string(environment.configuration.seed)] }
        return try await environment.garden.patch(
            Shoot.self,
            shoot.name,
            namespace: shoot.namespace,
            .object(change)
        )
    }

    /// Keeps a place of the seed for a shoot that names none, unless a seed takes it meanwhile that is emptier.
    private func promise(_ shoot: Shoot) async throws {
        let (own, places) = (environment.configuration.seed, environment.places)
        if let refusal = inability(shoot) {
            throw TaskFailure(.unscheduled, "the seed \(own) does not take it: \(refusal)")
        }
        let seeds = try await environment.garden.list(Seed.self).items
        guard let seed = seeds.first(where: { $0.name == own }) else {
            throw TaskFailure(.unscheduled, "there is no seed \(own)")
        }
        if SeedFit.reason(seed, against: shoot, hosted: places.hosted) == nil {
            let better = SeedFit.betterThan(seed, for: shoot, among: seeds) { places.hosted(by: $0) }
            // Theirs may be unable, or not there; whoever has taken it ends this, for that is news.
            if better > 0 { try await Task.sleep(.seconds(Self.precedence * UInt64(min(better, Self.mostBefore)))) }
        }
        try Task.checkCancellation()
        let refusal = places.promise(shoot.key) { SeedFit.reason(seed, against: shoot, hosted: $0) }
        if let refusal { throw TaskFailure(.unscheduled, "the seed \(own) does not take it: \(refusal)") }
    }

    /// What keeps this coordinator from making a shoot that another seed's may be able to make: its machines, or their images.
    private func inability(_ shoot: Shoot) -> String? {
        do { _ = try environment.provider(shoot.spec.provider.type) } catch { return "\(error)" }
        let everywhere = ShootRules.problems(shoot)
        let here = ShootRules.problems(shoot, seed: nil, images: environment.configuration.machineImages)
        return here.first { !everywhere.contains($0) }?.description
    }
}
