internal import ClusterModel
internal import FoundationEssentials
internal import HTTPTransfer
internal import KubernetesClient
internal import LinuxSystem
internal import Logging
internal import NodePlan
internal import ShootPlan
internal import TendrilCore

/// Takes care of one shoot for as long as it is there: flows when something is to be done, health in between.
actor ShootLoop {
    /// What was just made gets this long to become well before it is made again.
    private static let repairPause = Nanoseconds.seconds(60)
    /// What we make; nodes mend themselves.
    private static let repaired: Set = [
        ShootCondition.apiServerAvailable.rawValue, ShootCondition.controlPlaneHealthy.rawValue,
        ShootCondition.systemComponentsHealthy.rawValue,
    ]

    private let environment: CoordinatorEnvironment
    private let logger: Logger
    private let events: ShootEvents
    private let wishes: ShootWishes
    private var shoot: Shoot
    private var work: Task<Void, Never>?
    /// Milliseconds; not all shoots are due in the same moment.
    private let syncMinute = UInt64.random(in: 55_000...65_000)
    private var failures = Backoff(start: .seconds(2), limit: .seconds(300))
    private var lastSync: MonotonicTime?
    /// When everything was done again, whatever was remembered.
    private var lastThorough: MonotonicTime?
    private var hosted = 0
    /// What was reconciled last, so that an event without news starts nothing.
    private var settled: Int?
    /// Whether something that we own is not as it was made: it is made again, whatever is remembered.
    private var needsRepair = false
    /// What is remembered of the flow, as this process wrote or read it last; nobody else writes it.
    private var remembered: (records: FlowRecords, spec: Shoot.Spec?)?
    private var known: (digest: String, client: KubernetesClient)?
    /// The generation that cannot be, once that is told.
    private var refused: Int?

    init(_ shoot: Shoot, _ environment: CoordinatorEnvironment) {
        (self.shoot, self.environment) = (shoot, environment)
        var logger = environment.logger
        logger[metadataKey: "shoot"] = "\(shoot.key)"
        self.logger = logger
        events = ShootEvents(garden: environment.garden)
        wishes = ShootWishes(garden: environment.garden, events: events, logger: logger)
    }

    /// Takes what the garden says now; `hosted` is how many shoots the seed has.
    func observe(_ newest: Shoot, hosted: Int) {
        self.hosted = hosted
        let isNews =
            newest.metadata.generation != shoot.metadata.generation
            || newest.isBeingDeleted != shoot.isBeingDeleted
            || newest.metadata.annotations != shoot.metadata.annotations
        shoot = newest
        if work == nil || isNews { restart() }
    }

    /// Ends without touching the shoot.
    func stop() {
        work?.cancel()
        work = nil
    }

    /// The same, and waits until nothing is under way.
    func end() async {
        let last = work
        stop()
        await last?.value
    }

    private func restart() {
        let before = work
        before?.cancel()
        failures.reset()
        work = Task {
            // One flow of a shoot at a time: what the earlier one began it ends first.
            await before?.value
            await self.run()
        }
    }

    private func run() async {
        while !Task.isCancelled {
            let pause = await pass()
            guard let pause else { return }
            try? await Task.sleep(nanoseconds: pause.value)
        }
    }

    /// One pass; how long to wait for the next, or `nil` where there is none.
    private func pass() async -> Nanoseconds? {
        let shoot = shoot
        if shoot.isPaused, !shoot.isBeingDeleted { return nil }
        do {
            guard let shoot = try await adopted(shoot) else { return nil }
            if shoot.isBeingDeleted, try await isUntouched(shoot) {
                try await release(shoot)
                return nil
            }
            let work = try await makeWork(shoot)
            if shoot.isBeingDeleted { return try await delete(work) }
            let sync = Nanoseconds.milliseconds(UInt64(environment.configuration.syncMinutes ?? 60) * syncMinute)
            let isDue = needsRepair || lastSync.map { Clock.now() >= $0 + sync } ?? false
            let store = FlowStore(seed: environment.seed, namespace: work.namespace)
            let isIdle = settled == shoot.metadata.generation && !isDue && shoot.operation == nil
            if !isIdle { remembered = nil }
            var (records, spec) = try await environment.looks.holding { try await self.recall(store) }
            // What is about to change is read again whatever becomes of this pass.
            if !isIdle { remembered = nil }
            do {
                try judge(shoot, work, before: spec, records)
            } catch {
                guard let spec, records[TaskName.access] != nil else { throw error }
                return await careOn(shoot, as: spec, after: error, records)
            }
            let operation = try await wishes.take(shoot, &records) { try await store.save($0, spec: shoot.spec) }
            let isRotating = !shoot.isHibernated && records.rotation?.isInForce == false
            let isWanted = settled != shoot.metadata.generation || isDue || operation != nil || isRotating
            guard isWanted else { return await look(work, records) }
            return try await reconcile(work, store, records, isThorough: isDue || operation == .reconcile)
        } catch {
            return await failed(shoot, error)
        }
    }

    // MARK: - Before a flow

    /// The shoot with our finalizer and a seed, if it is ours; `nil` where it is another seed's.
    private func adopted(_ shoot: Shoot) async throws -> Shoot? {
        guard shoot.spec.seedName ?? environment.configuration.seed == environment.configuration.seed else {
            return nil
        }
        let finalizers = shoot.metadata.finalizers ?? []
        if finalizers.contains(ShootAnnotation.finalizer) { return shoot }
        // Never touched and to be deleted: there is nothing to do.
        if shoot.isBeingDeleted { return nil }
        if shoot.spec.seedName == nil {
            let seed = try await environment.garden.get(Seed.self, environment.configuration.seed)
            if let reason = SeedFit.reason(seed, against: shoot, hosted: hosted) {
                throw TaskFailure(.unscheduled, "the seed \(seed.name) does not take it: \(reason)")
            }
        }
        var change: [String: JSONValue] = [
            "metadata": [
                "finalizers": .array((finalizers + [ShootAnnotation.finalizer]).map { .string($0) }),
                "resourceVersion": .string(shoot.metadata.resourceVersion ?? ""),
            ]
        ]
        if shoot.spec.seedName == nil { change["spec"] = ["seedName": .string(environment.configuration.seed)] }
        // The version in it makes two coordinators that want the same shoot collide instead of sharing it.
        let adopted = try await environment.garden.patch(
            Shoot.self,
            shoot.name,
            namespace: shoot.namespace,
            .object(change)
        )
        self.shoot = adopted
        return adopted
    }

    /// What is remembered of the flow.
    private func recall(_ store: FlowStore) async throws -> (FlowRecords, Shoot.Spec?) {
        if let remembered { return remembered }
        var read = try await store.load()
        if read.records.rotation == nil {
            let secrets = SecretStore(seed: environment.seed, namespace: store.namespace)
            read.records.rotation = try await secrets.findRotation()
        }
        remembered = read
        return read
    }

    private func makeWork(_ shoot: Shoot) async throws -> ShootWork {
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
        let provider = try environment.provider(shoot.spec.provider.type)
        problems += provider.problems(changing: records[TaskName.infrastructure] ?? [:], to: shoot.spec)
        guard problems.isEmpty else { throw ConfigurationError(problems) }
    }

    // MARK: - Flows

    private func reconcile(
        _ work: ShootWork,
        _ store: FlowStore,
        _ records: FlowRecords,
        isThorough: Bool
    ) async throws -> Nanoseconds? {
        let shoot = work.shoot
        let provider = try environment.provider(shoot.spec.provider.type)
        let rotation = records.rotation ?? Rotation()
        let type: ShootStatus.OperationType =
            shoot.isHibernated
            ? .hibernate
            : shoot.status?.observedGeneration == nil ? .create : rotation.isInForce ? .reconcile : .rotate
        let tasks =
            shoot.isHibernated
            ? ShootFlows.hibernate(work, provider) : ShootFlows.reconcile(work, provider, rotation)
        if type == .rotate { await tellRotation(work, records) }
        // What was waited for is not there any more once the shoot has slept.
        let known = shoot.isHibernated ? records.forgetting(TaskName.awaited) : records
        let outcome = try await perform(work, tasks, type, from: known, isThorough: isThorough) { records in
            try await store.save(records, spec: shoot.spec)
        }
        guard let outcome else { return nil }
        guard outcome.errors.isEmpty else {
            _ = await look(work, outcome.records)
            return failures.wait()
        }
        remembered = (outcome.records, shoot.spec)
        settled = shoot.metadata.generation
        lastSync = Clock.now()
        if isThorough { lastThorough = lastSync }
        needsRepair = false
        failures.reset()
        if !shoot.isHibernated, outcome.records.rotation?.isInForce == false { return .milliseconds(1) }
        return await look(work, outcome.records)
    }

    /// Says how far the exchange of credentials is before its next step begins.
    private func tellRotation(_ work: ShootWork, _ records: FlowRecords) async {
        guard let rotation = ShootFields.rotation(records) else { return }
        _ = try? await environment.garden.patchStatus(of: work.shoot, ["credentialRotation": rotation])
    }

    private func delete(_ work: ShootWork) async throws -> Nanoseconds? {
        guard work.shoot.metadata.annotations?[ShootAnnotation.confirmation] == "true" else {
            throw TaskFailure(
                .configuration,
                "set the annotation \(ShootAnnotation.confirmation)=true to confirm the deletion"
            )
        }
        let provider = try environment.provider(work.shoot.spec.provider.type)
        let tasks = ShootFlows.delete(work, provider)
        let outcome = try await perform(work, tasks, .delete, from: FlowRecords(), isThorough: true) { _ in }
        guard let outcome else { return nil }
        guard outcome.errors.isEmpty else { return failures.wait() }
        try await release(work.shoot)
        return nil
    }

    /// Whether nothing was ever made: the namespace comes first and goes last.
    private func isUntouched(_ shoot: Shoot) async throws -> Bool {
        guard let id = TechnicalID(project: shoot.namespace, name: shoot.name) else { return true }
        return try await environment.seed.findDocument("/api/v1/namespaces/\(id)") == nil
    }

    /// Lets the object go.
    private func release(_ shoot: Shoot) async throws {
        let kept = (shoot.metadata.finalizers ?? []).filter { $0 != ShootAnnotation.finalizer }
        do {
            try await environment.garden.patch(
                Shoot.self,
                shoot.name,
                namespace: shoot.namespace,
                ["metadata": ["finalizers": .array(kept.map { .string($0) })]]
            )
        } catch {
            guard error.isNotFound else { throw error }
        }
        logger.notice("deleted")
    }

    /// Runs a flow with its status; `nil` where it was interrupted by something newer.
    private func perform(
        _ work: ShootWork,
        _ tasks: [ShootTask],
        _ type: ShootStatus.OperationType,
        from records: FlowRecords,
        isThorough: Bool,
        save: @escaping @Sendable (FlowRecords) async throws -> Void
    ) async throws -> FlowOutcome? {
        remembered = nil
        let status = StatusWriter(garden: environment.garden, shoot: work.shoot, type: type, logger: logger)
        let start = Clock.now()
        let runner = FlowRunner(
            tasks: tasks,
            observer: status,
            save: save,
            logger: logger,
            slots: environment.slots,
            isThorough: isThorough
        )
        var outcome = await runner.run(from: records)
        guard !Task.isCancelled else { return nil }
        if outcome.errors.isEmpty, type == .rotate {
            // All of the flow was done, so that this step is in force everywhere.
            outcome.records.rotation?.reached(at: Clock.unixTime())
            try await save(outcome.records)
        }
        environment.counts.ended(type, isSuccess: outcome.errors.isEmpty, nanoseconds: Clock.now().since(start))
        if outcome.performed == 0, outcome.errors.isEmpty, isToldAlready(work.shoot, type) {
            logger.info("found done", metadata: ["operation": "\(type.rawValue)"])
        } else if outcome.errors.isEmpty {
            let seconds = Clock.now().since(start) / 1_000_000_000
            await status.ended(.succeeded, 100, "done in \(seconds) s", with: ShootFields.done(work, outcome.records))
            if work.shoot.operation != nil { try await wishes.acknowledge(work.shoot) }
            await events.tell(work.shoot, "\(type.rawValue)Succeeded", "done in \(seconds) s", isWarning: false)
            logger.notice(
                "\(type.rawValue) done",
                metadata: ["seconds": "\(seconds)", "tasks": "\(outcome.performed)"]
            )
        } else {
            let isFinal = outcome.errors.contains { $0.code.isFinal }
            let text = outcome.errors.map { "\($0.task): \($0.description)" }.joined(separator: "; ")
            await status.ended(
                isFinal ? .failed : .error,
                0,
                text,
                with: ["lastErrors": try CanonicalJSON.value(outcome.errors)]
            )
            await events.tell(work.shoot, "\(type.rawValue)Failed", text, isWarning: true)
        }
        return outcome
    }

    /// Whether the status says already that this was done: one that starts anew with a thousand shoots writes nothing.
    private func isToldAlready(_ shoot: Shoot, _ type: ShootStatus.OperationType) -> Bool {
        let last = shoot.status?.lastOperation
        return shoot.operation == nil && last?.state == .succeeded && last?.type != .delete
            && shoot.status?.observedGeneration == shoot.metadata.generation
            && (shoot.status?.lastErrors ?? []).isEmpty && type != .rotate
    }

    // MARK: - Between flows

    /// Looks at the shoot's health, and how long to wait for the next look.
    private func look(_ work: ShootWork, _ records: FlowRecords) async -> Nanoseconds {
        let check = HealthCheck(work: work, records: records, board: environment.board) {
            try await self.client(work, records)
        }
        guard let conditions = try? await environment.looks.holding({ await check.conditions() }) else {
            return .seconds(10)
        }
        environment.counts.saw(conditions, of: work.shoot.key)
        let known = shoot.status?.conditions ?? []
        if let merged = Condition.merged(conditions, into: known, at: Clock.unixTime()),
            let value = try? CanonicalJSON.value(merged)
        {
            let patched = try? await environment.garden.patchStatus(of: work.shoot, ["conditions": value])
            if let patched { shoot.status = patched.status }
        }
        // What sleeps needs no certificate; the flow that wakes it up makes new ones.
        if !work.facts.isHibernated, needsRenewal(records) { settled = nil }
        let isWell = conditions.allSatisfy { $0.status == "True" }
        needsRepair =
            isOld(lastSync) && conditions.contains { Self.repaired.contains($0.type) && $0.status == "False" }
            || isOld(lastThorough) && conditions.contains { $0.reason == HealthCheck.nodesAhead }
        return .seconds(isWell ? 60 : 10)
    }

    private func isOld(_ time: MonotonicTime?) -> Bool { time.map { Clock.now() >= $0 + Self.repairPause } ?? true }

    /// The shoot's API by the credentials that were issued last, which are read once.
    private func client(_ work: ShootWork, _ records: FlowRecords) async throws -> KubernetesClient {
        let leaves = try? records.output(TaskName.certificates, as: CertificatesTask.Output.self)
        let digest = leaves?.digests[ShootWork.ownCredentials] ?? ""
        if let known, known.digest == digest { return known.client }
        let client = try await work.shootClient()
        known = (digest, client)
        return client
    }

    private func needsRenewal(_ records: FlowRecords) -> Bool {
        let leaves = try? records.output(TaskName.certificates, as: CertificatesTask.Output.self)
        let machines = try? records.output(TaskName.machines, as: MachinesTask.Output.self)
        return min(leaves?.renewal ?? .max, machines?.renewal ?? .max) <= Clock.unixTime()
    }

    /// Looks after a shoot as it was accepted last, while its owner wants what cannot be: that is told once.
    private func careOn(_ shoot: Shoot, as spec: Shoot.Spec, after error: any Error, _ records: FlowRecords) async
        -> Nanoseconds?
    {
        if refused != shoot.metadata.generation { _ = await failed(shoot, error) }
        refused = shoot.metadata.generation
        var accepted = shoot
        accepted.spec = spec
        accepted.metadata.generation = shoot.status?.observedGeneration
        do {
            let work = try await makeWork(accepted)
            guard needsRenewal(records), !work.facts.isHibernated else { return await look(work, records) }
            let store = FlowStore(seed: environment.seed, namespace: work.namespace)
            let tasks = ShootFlows.renew(work)
            _ = try await perform(work, tasks, .reconcile, from: records, isThorough: false) { records in
                try await store.save(records, spec: spec)
            }
            refused = nil
            return .seconds(60)
        } catch {
            return await failed(shoot, error)
        }
    }

    /// Something failed before a flow could begin.
    private func failed(_ shoot: Shoot, _ error: any Error) async -> Nanoseconds? {
        guard !Task.isCancelled else { return nil }
        let isFinal = error is ConfigurationError || (error as? TaskFailure)?.code.isFinal == true
        let text = "\(error)".split(separator: "\n").joined(separator: "; ")
        logger.warning("cannot reconcile", metadata: ["reason": "\(text)"])
        let failure = ShootStatus.TaskError(
            task: "prepare",
            code: (error as? TaskFailure)?.code ?? (isFinal ? .configuration : .api),
            description: text,
            lastUpdateTime: KubernetesTime.text(seconds: Clock.unixTime())
        )
        let status = StatusWriter(
            garden: environment.garden,
            shoot: shoot,
            type: shoot.isBeingDeleted ? .delete : .reconcile,
            logger: logger
        )
        let errors = (try? CanonicalJSON.value([failure])) ?? []
        await status.ended(isFinal ? .failed : .error, 0, text, with: ["lastErrors": errors])
        // A change of the Shoot is an event; one of its Seed or of a Secret is not.
        return isFinal ? .seconds(300) : failures.wait()
    }
}
