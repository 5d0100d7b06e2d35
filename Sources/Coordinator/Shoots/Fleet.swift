internal import ClusterModel
internal import ShootPlan

/// The shoots that there are; those that are this process's to look after have a loop each.
actor Fleet {
    private let environment: CoordinatorEnvironment
    private var shoots: [String: Shoot] = [:]
    private var loops: [String: (loop: ShootLoop, claim: String)] = [:]
    /// Shoots whose loop is on its way out: no other one begins beside it.
    private var ending: Set<String> = []
    /// Shoots that have changed while they were nobody's here.
    private var missed: Set<String> = []

    init(_ environment: CoordinatorEnvironment) { self.environment = environment }

    func replace(_ all: [Shoot]) async {
        let keys = Set(all.map(\.key))
        for key in shoots.keys where !keys.contains(key) { await forget(key) }
        for shoot in all { await observe(shoot) }
    }

    func observe(_ shoot: Shoot) async {
        shoots[shoot.key] = shoot
        environment.places.know(shoot.key, seed: shoot.spec.seedName)
        // Once it has a seed it may be another's to look after: who gave it a place lets go first.
        if let known = loops[shoot.key], known.claim != Self.claim(on: shoot) { await end([shoot.key]) }
        guard let newest = shoots[shoot.key] else { return }
        let claim = Self.claim(on: newest)
        guard environment.peers.isOwner(of: claim), !ending.contains(newest.key) else {
            missed.insert(newest.key)
            return
        }
        missed.remove(newest.key)
        let loop = loops[newest.key]?.loop ?? ShootLoop(newest, environment.fenced(for: claim))
        loops[newest.key] = (loop, claim)
        environment.counts.saw(newest, seed: environment.configuration.seed)
        await loop.observe(newest)
    }

    func forget(_ key: String) async {
        shoots[key] = nil
        missed.remove(key)
        environment.places.forget(key)
        // Who makes one of that name at once waits, too: two flows at a time would be of one namespace.
        await end([key])
    }

    /// Lets go of what is not this process's any more, and waits until nothing of it is under way; begins what now is.
    func share() async {
        await end(loops.filter { !environment.peers.isOwner(of: $0.value.claim) }.map(\.key))
        for shoot in shoots.values where loops[shoot.key] == nil || missed.contains(shoot.key) { await observe(shoot) }
    }

    /// Whose a shoot is, as a key of the membership: one without a seed is his who speaks for the seed, so that one process
    /// gives all places.
    private static func claim(on shoot: Shoot) -> String { shoot.spec.seedName == nil ? Peers.seedKey : shoot.key }

    /// Ends everything, and begins nothing any more.
    func stop() async { await end(Array(loops.keys)) }

    private func end(_ keys: [String]) async {
        let ended = keys.compactMap { leave($0) }
        ending.formUnion(keys)
        await withTaskGroup(of: Void.self) { group in
            for loop in ended { group.addTask { await loop.end() } }
        }
        ending.subtract(keys)
    }

    private func leave(_ key: String) -> ShootLoop? {
        let loop = loops.removeValue(forKey: key)?.loop
        environment.counts.forget(key)
        return loop
    }
}
