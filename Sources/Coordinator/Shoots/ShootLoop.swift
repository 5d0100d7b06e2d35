package import ClusterModel
internal import FoundationEssentials
internal import HTTPModel
internal import KubernetesClient
internal import LinuxSystem
internal import Logging
internal import NodePlan
internal import ShootPlan
internal import TendrilCore

/// Takes care of one shoot for as long as it is there: flows when something is to be done, health in between.
package actor ShootLoop {
    /// So often one that is well is looked at.
    static let lookPause = Nanoseconds.seconds(60)
    /// What we make; nodes mend themselves.
    static let repaired: Set = [
        ShootCondition.apiServerAvailable.rawValue, ShootCondition.controlPlaneHealthy.rawValue,
        ShootCondition.systemComponentsHealthy.rawValue,
    ]

    /// After this long without a change the next ones are begun at once again.
    private static let calm = Nanoseconds.seconds(5)

    let environment: CoordinatorEnvironment
    let logger: Logger
    let events: ShootEvents
    let wishes: ShootWishes
    var shoot: Shoot
    private var work: Task<Void, Never>?
    /// No flow is begun anew before this.
    private var earliest = MonotonicTime(nanoseconds: 0)
    /// How long one whose owner changes it again and again waits to be begun anew: others share the processor.
    private var restarts = Backoff(start: .milliseconds(250), limit: .seconds(2))
    /// Milliseconds; not all shoots are due in the same moment.
    private let syncMinute = UInt64.random(in: 55_000...65_000)
    var failures = Backoff(start: .seconds(2), limit: .seconds(300))
    var lastSync: MonotonicTime?
    /// Until something was done the time of the next thorough pass counts from here.
    let begun = Clock.now()
    /// The generation that was reconciled last, so that an event without news starts nothing.
    var settled: Int?
    /// Whether something that we own is not as it was made: it is made again, whatever is remembered.
    var needsRepair = false
    var repairs = RepairPace()
    /// What a flow was to do that began and did not come to its end.
    var unfinished: FlowExtent?
    /// Whether the status was written and does not say yet that all is done; the Shoot as it was seen last may be older.
    var hasToldOtherwise = false
    /// Whether everything was done again since nodes were seen to be ahead.
    var hasCaughtUp = false
    /// What is remembered of the flow, as this process wrote or read it last; nobody else writes it.
    var remembered: Memory?
    /// What the flow that runs has done so far.
    var underWay: FlowRecords?
    var known: (digest: String, client: KubernetesClient)?
    /// The generation that cannot be, once that is told and no flow has told anything else since.
    var refused: Int?
    /// The generation that could not begin last, and why: of each that is an Event once.
    private var toldFailure: String?
    /// When the bucket with the snapshots was looked into last.
    var lastSnapshotLook: MonotonicTime?
    /// When what a cloud believes the owner by was looked at last.
    var lastCredentialLook: MonotonicTime?
    /// Whether a cloud is asked at the next occasion, until it was: what it was asked with, or for, was not in order.
    var mustAskCloud = false
    /// When machines that are no nodes were looked after last.
    var lastAttendance: MonotonicTime?
    /// Whether there are such machines, or were a moment ago.
    var hasMachinesWaiting = false

    /// What was done, and for which wishes.
    typealias Memory = (records: FlowRecords, spec: Shoot.Spec?)

    /// What follows a pass.
    enum Step {
        /// After this time the next.
        case rest(Nanoseconds)
        /// A look at the shoot's health, and the next pass after a time that what is seen says, where none is given.
        case look(Sight, then: Nanoseconds? = nil)
    }

    /// What a look is about.
    struct Sight {
        let work: ShootWork
        /// What was done for the shoot.
        let records: FlowRecords
        /// Whether a flow waited for nodes in vain.
        var lacksNodes = false
    }

    /// Takes the shoot as the garden says it first.
    package init(_ shoot: Shoot, _ environment: CoordinatorEnvironment) {
        (self.shoot, self.environment) = (shoot, environment)
        var logger = environment.logger
        logger[metadataKey: "shoot"] = "\(shoot.key)"
        self.logger = logger
        events = ShootEvents(garden: environment.garden)
        wishes = ShootWishes(garden: environment.garden, events: events, logger: logger)
    }

    /// Takes what the garden says now.
    package func observe(_ newest: Shoot) {
        let isNews =
            newest.metadata.generation != shoot.metadata.generation
            || newest.isBeingDeleted != shoot.isBeingDeleted
            || newest.metadata.annotations != shoot.metadata.annotations
            // What somebody paused just then has begun all the same.
            || shoot.isPaused && !newest.isPaused
        shoot = newest
        if work == nil || isNews { restart() }
    }

    /// Ends without touching the shoot, and waits until nothing is under way.
    package func end() async {
        let last = work
        last?.cancel()
        work = nil
        await last?.value
    }

    /// Begins anew; what is under way ends first.
    func restart() {
        let before = work
        before?.cancel()
        failures.reset()
        work = Task {
            // One flow of a shoot at a time: what the earlier one began it ends first.
            await before?.value
            await self.begin()
        }
    }

    private func begin() async {
        let early = Clock.now()
        if early < earliest { try? await Task.sleep(earliest.since(early)) }
        guard !Task.isCancelled else { return }
        let now = Clock.now()
        if now >= earliest + Self.calm { restarts.reset() }
        earliest = now + restarts.wait()
        await run()
    }

    private func run() async {
        // Nothing but the pause is kept meanwhile.
        while !Task.isCancelled, let pause = await round() { try? await Task.sleep(pause) }
    }

    /// One pass with what follows it, and how long to wait for the next; `nil` where there is none.
    private func round() async -> Nanoseconds? {
        switch await Self.apart({ await self.pass() }) {
        case nil: return nil
        case .rest(let time): return time
        case .look(let sight, let time):
            let calm = await Self.apart { await self.look(sight) }
            return time ?? calm
        }
    }

    /// Does something in a task of its own: one keeps the stack of its deepest call for as long as it lives, here tens of kilobytes
    /// a shoot.
    private static func apart<Value: Sendable>(_ body: @escaping @Sendable () async -> Value) async -> Value {
        let task = Task { await body() }
        return await withTaskCancellationHandler {
            await task.value
        } onCancel: {
            task.cancel()
        }
    }

    /// One pass, and what follows it; `nil` where nothing does.
    private func pass() async -> Step? {
        let shoot = shoot
        if shoot.isPaused, !shoot.isBeingDeleted { return nil }
        do {
            guard let shoot = try await adopted(shoot) else { return nil }
            if shoot.isBeingDeleted {
                guard let namespace = try await namespace(of: shoot), NamespaceTask.isOwn(namespace, of: shoot) else {
                    try await releaseUntouched(shoot)
                    return nil
                }
                return try await delete(try await makeWork(try await asMade(shoot, in: namespace)))
            }
            let work = try await makeWork(shoot)
            let store = FlowStore(seed: environment.seed, namespace: work.namespace)
            let mayRemember = isIdle(shoot)
            if !mayRemember { remembered = nil }
            guard let (records, spec) = try await recall(store, of: shoot) else { return try await tellForeign(work) }
            // What is about to change is read again whatever becomes of this pass.
            if !mayRemember { remembered = nil }
            if shoot.isToPause { return try await endRestoration(shoot, as: spec ?? shoot.spec, store, records) }
            do {
                try judge(shoot, work, before: spec, records)
            } catch {
                // Where what was done is not known any more, the status says whether anything was.
                let isMade = records[TaskName.access] != nil || shoot.status?.observedGeneration != nil
                guard let spec, isMade else { throw error }
                return await careOn(shoot, as: spec, after: error, store, records)
            }
            return try await advance(work, store, records, isKnown: isTold(shoot))
        } catch {
            return await failed(shoot, error)
        }
    }

    /// How long it is from one thorough pass to the next.
    var sync: Nanoseconds { .milliseconds(UInt64(environment.configuration.syncMinutes ?? 60) * syncMinute) }

    /// What a pass finds; `isKnown` where an earlier process is known to have done all that is wanted.
    private func occasion(_ shoot: Shoot, isKnown: Bool) -> Occasion {
        var occasion = Occasion()
        (occasion.generation, occasion.settled, occasion.isKnown) = (shoot.metadata.generation, settled, isKnown)
        occasion.isHibernated = shoot.isHibernated
        occasion.isQuiet = MaintenanceWindow(shoot.spec).map { !$0.isOpen(at: Clock.unixTime()) } ?? false
        occasion.isOverdue = Clock.now() >= (lastSync ?? begun) + sync
        (occasion.needsRepair, occasion.unfinished) = (needsRepair, unfinished)
        return occasion
    }

    /// Whether nothing is to be done, as far as is known without reading anything.
    private func isIdle(_ shoot: Shoot) -> Bool {
        let occasion = occasion(shoot, isKnown: isTold(shoot))
        let renewal = remembered.flatMap { occasion.renewal($0.records.renewals, at: Clock.unixTime()) }
        return occasion.isCalm && shoot.operation == nil && renewal == nil && !isCredentialLookDue(shoot)
    }

    /// Does for a shoot what is to be done now, and looks at it where nothing is.
    ///
    /// - Parameters:
    ///   - work: for the shoot as it was judged, or accepted last.
    ///   - store: keeps what was done.
    ///   - known: what was done.
    ///   - isKnown: whether an earlier process is known to have done all that is wanted.
    /// - Returns: what follows; `nil` where it was interrupted by something newer.
    /// - Throws: what kept a flow from beginning.
    func advance(_ work: ShootWork, _ store: FlowStore, _ known: FlowRecords, isKnown: Bool) async throws -> Step? {
        let shoot = work.shoot
        var records = known
        // What was made with another key is doubted also by whoever starts anew.
        let doubted = known.doubting(TaskName.inCloud)
        if await hasNewCredentials(work, known, ahead: { try await store.save(doubted, spec: shoot.spec) }) {
            (mustAskCloud, unfinished, records) = (true, .thorough, doubted)
        }
        let occasion = occasion(shoot, isKnown: isKnown)
        let operation = try await wishes.take(work, &records) { try await store.save($0, spec: shoot.spec) }
        // Whoever asks has mended what kept machines from becoming nodes.
        if [.reconcile, .retry].contains(operation) { try await MachineRepair.forget(work) }
        let renewal = occasion.renewal(records.renewals, at: Clock.unixTime())
        guard let extent = occasion.extent(operation, records, renewal) else {
            return .look(Sight(work: work, records: records))
        }
        if extent == .access { return try await renewAccess(work, store, records) }
        var asking = work
        asking.asksCloud = await asksCloud(work, records, operation, isThorough: extent == .thorough)
        return try await reconcile(asking, store, records, isThorough: extent == .thorough)
    }

    /// What is remembered of the flow; `nil` where the namespace is somebody else's: nothing that stands there is believed.
    private func recall(_ store: FlowStore, of shoot: Shoot) async throws -> Memory? {
        if let remembered { return remembered }
        // One that starts anew has all shoots to read about.
        remembered = try await environment.looks.holding { try await self.read(store, of: shoot) }
        return remembered
    }

    private func read(_ store: FlowStore, of shoot: Shoot) async throws -> Memory? {
        guard let namespace = try await namespace(of: shoot) else { return (records: FlowRecords(), spec: nil) }
        guard NamespaceTask.isOwn(namespace, of: shoot) else { return nil }
        var memory = try await store.load(of: shoot)
        if memory.records.rotation == nil {
            let secrets = SecretStore(seed: environment.seed, namespace: store.namespace)
            memory.records.rotation = try await secrets.findRotation(told: shoot.status?.credentialRotation)
        }
        return memory
    }

    func makeWork(_ shoot: Shoot) async throws -> ShootWork {
        // What was heard of it a moment ago will do.
        let seed: Seed
        if let known = environment.ownSeed.withLock({ $0 }) {
            seed = known
        } else {
            seed = try await environment.garden.get(Seed.self, environment.configuration.seed)
        }
        let facts = ClusterFacts(
            shoot,
            images: environment.configuration.images,
            seed: seed.spec,
            seedVersion: environment.seedVersion
        )
        guard let facts else { throw ConfigurationError(ShootRules.problems(shoot)) }
        return ShootWork(
            shoot: shoot,
            facts: facts,
            configuration: environment.configuration,
            garden: environment.garden,
            seed: environment.seed,
            transport: environment.transport,
            mayWrite: environment.mayWrite,
            logger: logger
        )
    }

    private func judge(_ shoot: Shoot, _ work: ShootWork, before: Shoot.Spec?, _ records: FlowRecords) throws {
        let made = records[TaskName.infrastructure]
        var problems = try environment.problems(shoot, before: before, seed: work.facts.seed, made: made)
        if before == nil, let named = shoot.spec.seedName {
            problems += ShootRules.problems(hostedBy: environment.configuration.seed, movedTo: named)
        }
        guard problems.isEmpty else { throw ConfigurationError(problems) }
    }

    /// Something failed before a flow could begin.
    func failed(_ shoot: Shoot, _ error: any Error) async -> Step? {
        guard !Task.isCancelled else { return nil }
        let isFinal = error is ConfigurationError || (error as? TaskFailure)?.code.isFinal == true
        let text = "\(error)".split(separator: "\n").joined(separator: "; ")
        logger.warning("cannot reconcile", metadata: ["reason": "\(text)"])
        hasToldOtherwise = true
        await tellOnce(text, of: shoot)
        await StatusWriter.tellFailure(
            text,
            (error as? TaskFailure)?.code ?? (isFinal ? .configuration : .api),
            isFinal: isFinal,
            of: shoot,
            garden: environment.garden,
            logger: logger
        )
        // A change of the Shoot is an event; one of its Seed or of a Secret is not.
        return .rest(isFinal ? .seconds(300) : failures.wait())
    }

    /// Tells by an Event why no flow could begin for a generation, unless that was told, by whoever it was.
    private func tellOnce(_ text: String, of shoot: Shoot) async {
        let (last, failure) = (shoot.status?.lastOperation, "\(shoot.metadata.generation ?? 0) \(text)")
        let isKnown = last?.description == text && last?.generation == shoot.metadata.generation
        if !isKnown, toldFailure != failure {
            await events.tell(shoot, "\(shoot.intent.rawValue)Failed", text, isWarning: true)
        }
        if !Task.isCancelled { toldFailure = failure }
    }
}
