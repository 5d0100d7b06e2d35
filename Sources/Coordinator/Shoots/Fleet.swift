package import ClusterModel
internal import ShootPlan

/// The shoots that there are; those that are this process's to look after have a loop each.
package actor Fleet {
    private let environment: CoordinatorEnvironment
    private let isOwner: @Sendable (String) -> Bool
    private var shoots: [String: Shoot] = [:]
    private var loops: [String: (loop: ShootLoop, claim: String)] = [:]
    /// Loops on their way out, which may take as long as a run of Terraform: no other one of the same shoot begins beside them.
    private var ending: [String: Task<Void, Never>] = [:]
    /// Shoots that have changed while they were nobody's here.
    private var missed: Set<String> = []
    /// Whether nothing begins any more.
    private var isStopped = false

    /// Has no shoots yet.
    ///
    /// - Parameters:
    ///   - environment: what all of them share.
    ///   - isOwner: whether what a key stands for is this process's, by the membership where nothing else is said.
    package init(_ environment: CoordinatorEnvironment, isOwner: (@Sendable (String) -> Bool)? = nil) {
        self.environment = environment
        self.isOwner = isOwner ?? { environment.peers.isOwner(of: $0) }
    }

    func replace(_ all: [Shoot]) async {
        let keys = Set(all.map(\.key))
        for key in shoots.keys where !keys.contains(key) { forget(key) }
        for shoot in all { await observe(shoot) }
        environment.places.complete()
    }

    /// Takes a shoot as the garden says it now.
    package func observe(_ shoot: Shoot) async {
        let (key, claim) = (shoot.key, Self.claim(on: shoot))
        shoots[key] = shoot
        environment.places.know(key, seed: shoot.spec.seedName)
        // Once it has a seed it may be another's to look after: who gave it a place lets go first.
        if let known = loops[key], known.claim != claim { leave(key) }
        guard !isStopped, isOwner(claim), ending[key] == nil else {
            missed.insert(key)
            return
        }
        missed.remove(key)
        let loop = loops[key]?.loop ?? ShootLoop(shoot, environment.fenced(for: claim))
        loops[key] = (loop, claim)
        environment.counts.saw(shoot, seed: environment.configuration.seed)
        await loop.observe(shoot)
    }

    /// Lets go of a shoot that is not there any more; returns at once.
    package func forget(_ key: String) {
        shoots[key] = nil
        missed.remove(key)
        environment.places.forget(key)
        leave(key)
    }

    /// Lets go of what is not this process's any more, and waits until nothing of it is under way; begins what now is.
    func share() async {
        let others = loops.filter { !isOwner($0.value.claim) }.keys
        for task in others.compactMap({ leave($0) }) { await task.value }
        for shoot in shoots.values where loops[shoot.key] == nil || missed.contains(shoot.key) { await observe(shoot) }
    }

    /// Whose a shoot is, as a key of the membership: one without a seed is his who speaks for the seed, so that one process
    /// gives all places.
    private static func claim(on shoot: Shoot) -> String { shoot.spec.seedName == nil ? Peers.seedKey : shoot.key }

    /// Ends everything, begins nothing any more, and waits until nothing is under way.
    package func stop() async {
        isStopped = true
        for key in loops.keys { leave(key) }
        for task in ending.values { await task.value }
    }

    /// Has a loop end beside everything else: whoever tells of shoots is not to wait for one of them.
    @discardableResult
    private func leave(_ key: String) -> Task<Void, Never>? {
        environment.counts.forget(key)
        guard let loop = loops.removeValue(forKey: key)?.loop else { return nil }
        let task = Task {
            await loop.end()
            await self.ended(key)
        }
        ending[key] = task
        return task
    }

    /// What has changed or come of that name meanwhile is begun now.
    private func ended(_ key: String) async {
        ending[key] = nil
        if let shoot = shoots[key] { await observe(shoot) }
    }
}
