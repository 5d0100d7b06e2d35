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

    /// How long each seed that is emptier has to take a shoot before this one does, and how many of them wait their turn.
    private static let (precedence, mostBefore) = (Nanoseconds.seconds(5), 6)

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
    var unfinished: Extent?
    /// Whether the status was written and does not say yet that all is done; the Shoot as it was seen last may be older.
    var hasToldOtherwise = false
    /// Whether everything was done again since nodes were seen to be ahead.
    var hasCaughtUp = false
    /// What is remembered of the flow, as this process wrote or read it last; nobody else writes it.
    var remembered: (records: FlowRecords, spec: Shoot.Spec?)?
    /// What the flow that runs has done so far.
    var underWay: FlowRecords?
    var known: (digest: String, client: KubernetesClient)?
    /// The generation that cannot be, once that is told and no flow has told anything else since.
    var refused: Int?
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

    /// How much of a flow is done.
    enum Extent {
        /// What people come with.
        case access
        /// What has changed.
        case changes
        /// All of it, whatever is remembered.
        case thorough
    }

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
        if early < earliest { try? await Task.sleep(nanoseconds: earliest.since(early)) }
        guard !Task.isCancelled else { return }
        let now = Clock.now()
        if now >= earliest + Self.calm { restarts.reset() }
        earliest = now + restarts.wait()
        await run()
    }

    private func run() async {
        // Nothing but the pause is kept meanwhile.
        while !Task.isCancelled, let pause = await round() { try? await Task.sleep(nanoseconds: pause.value) }
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
            if shoot.isBeingDeleted, try await isUntouched(shoot) {
                try await release(shoot)
                return nil
            }
            if shoot.isBeingDeleted { return try await delete(try await makeWork(try await asMade(shoot))) }
            let work = try await makeWork(shoot)
            let store = FlowStore(seed: environment.seed, namespace: work.namespace)
            let mayRemember = isIdle(shoot)
            if !mayRemember { remembered = nil }
            let (records, spec) = try await recall(store)
            // What is about to change is read again whatever becomes of this pass.
            if !mayRemember { remembered = nil }
            do {
                try judge(shoot, work, before: spec, records)
            } catch {
                guard let spec, records[TaskName.access] != nil else { throw error }
                return await careOn(shoot, as: spec, after: error, store, records)
            }
            return try await advance(work, store, records, isKnown: isTold(shoot))
        } catch {
            return await failed(shoot, error)
        }
    }

    /// When a pass is: what speaks for a flow whatever was done before.
    private struct Moment {
        /// Whether what the operator changes has to wait.
        let isQuiet: Bool
        /// Whether everything is to be done again.
        let isDue: Bool
        /// Whether what is wanted was done.
        let isSettled: Bool
    }

    /// How long it is from one thorough pass to the next.
    var sync: Nanoseconds { .milliseconds(UInt64(environment.configuration.syncMinutes ?? 60) * syncMinute) }

    /// What this moment is for a shoot; `isKnown` where an earlier process is known to have done all that is wanted.
    private func moment(_ shoot: Shoot, isKnown: Bool) -> Moment {
        let isQuiet = MaintenanceWindow(shoot.spec).map { !$0.isOpen(at: Clock.unixTime()) } ?? false
        return Moment(
            isQuiet: isQuiet,
            isDue: needsRepair || !isQuiet && Clock.now() >= (lastSync ?? begun) + sync,
            // One that starts anew may have other images: what it would change waits, too.
            isSettled: settled == shoot.metadata.generation || isQuiet && settled == nil && isKnown
        )
    }

    /// Whether nothing is to be done, as far as is known without reading anything.
    private func isIdle(_ shoot: Shoot) -> Bool {
        let moment = moment(shoot, isKnown: isTold(shoot))
        let renewal = remembered.flatMap { due($0.records, shoot, moment) }
        return moment.isSettled && !moment.isDue && unfinished == nil && shoot.operation == nil && renewal == nil
    }

    /// What has to be renewed; what sleeps needs nothing, for the flow that wakes it up makes all of it.
    private func due(_ records: FlowRecords, _ shoot: Shoot, _ moment: Moment) -> Renewals.Extent? {
        shoot.isHibernated ? nil : records.renewals.due(at: Clock.unixTime(), isQuiet: moment.isQuiet)
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
        if await hasNewCredentials(work) { (mustAskCloud, unfinished) = (true, .thorough) }
        let moment = moment(shoot, isKnown: isKnown)
        var records = known
        let operation = try await wishes.take(work, &records) { try await store.save($0, spec: shoot.spec) }
        // Whoever asks has mended what kept machines from becoming nodes.
        if [.reconcile, .retry].contains(operation) { try await MachineRepair.forget(work) }
        let isRotating = !shoot.isHibernated && records.rotation?.isInForce == false
        let hasBegun = unfinished == .changes || unfinished == .thorough
        // One that was put to sleep meanwhile starts when it wakes up.
        let isStarting = !shoot.isHibernated && records.restoration?.phase == .starting
        let isRestoring = isStarting || records.restoration?.phase == .replacing
        let isDemanded =
            !moment.isSettled || moment.isDue || hasBegun || operation != nil || isRotating || isRestoring
        let renewal = due(records, shoot, moment)
        guard isDemanded || renewal == .all else {
            let isAccessDue = renewal == .access || unfinished == .access
            guard isAccessDue else { return .look(Sight(work: work, records: records)) }
            return try await renewAccess(work, store, records)
        }
        let isThorough = moment.isDue || unfinished == .thorough || operation == .reconcile
        var asking = work
        asking.asksCloud = await asksCloud(work, records, operation, isThorough: isThorough)
        return try await reconcile(asking, store, records, isThorough: isThorough)
    }

    /// The shoot with our finalizer, if it is ours; `nil` where it is another seed's, and where it has just become ours: the event
    /// of that leads to whoever is to look after it.
    private func adopted(_ shoot: Shoot) async throws -> Shoot? {
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
        // That may have taken a while.
        let newest = self.shoot.metadata
        var change: [String: JSONValue] = [
            "metadata": [
                "finalizers": .array(
                    ((newest.finalizers ?? []) + [ShootAnnotation.finalizer]).map { .string($0) }
                ),
                "resourceVersion": .string(newest.resourceVersion ?? ""),
            ]
        ]
        if !isPlaced { change["spec"] = ["seedName": .string(own)] }
        do {
            // The version in it makes two coordinators that want the same shoot collide instead of sharing it.
            self.shoot = try await environment.garden.patch(
                Shoot.self,
                shoot.name,
                namespace: shoot.namespace,
                .object(change)
            )
        } catch {
            if !isPlaced, !isHosted { environment.places.withdraw(shoot.key) }
            throw error
        }
        return isPlaced ? self.shoot : nil
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
            let pause = Self.precedence.value * UInt64(min(better, Self.mostBefore))
            if pause > 0 { try await Task.sleep(nanoseconds: pause) }
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

    /// What is remembered of the flow.
    private func recall(_ store: FlowStore) async throws -> (FlowRecords, Shoot.Spec?) {
        if let remembered { return remembered }
        // One that starts anew has all shoots to read about.
        let read = try await environment.looks.holding {
            var read = try await store.load()
            if read.records.rotation == nil {
                let secrets = SecretStore(seed: environment.seed, namespace: store.namespace)
                read.records.rotation = try await secrets.findRotation()
            }
            return read
        }
        remembered = read
        return read
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
        var problems = try environment.problems(shoot, before: before, seed: work.facts.seed)
        if before == nil, let named = shoot.spec.seedName {
            problems += ShootRules.problems(hostedBy: environment.configuration.seed, movedTo: named)
        }
        let provider = try environment.provider(shoot.spec.provider.type)
        problems += provider.problems(changing: records[TaskName.infrastructure] ?? [:], to: shoot.spec)
        guard problems.isEmpty else { throw ConfigurationError(problems) }
    }

    /// Something failed before a flow could begin.
    func failed(_ shoot: Shoot, _ error: any Error) async -> Step? {
        guard !Task.isCancelled else { return nil }
        let isFinal = error is ConfigurationError || (error as? TaskFailure)?.code.isFinal == true
        let text = "\(error)".split(separator: "\n").joined(separator: "; ")
        logger.warning("cannot reconcile", metadata: ["reason": "\(text)"])
        hasToldOtherwise = true
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
}
