internal import ClusterModel
internal import KubernetesClient
internal import LinuxSystem
internal import Logging
internal import ShootPlan
internal import TendrilCore

/// Flows: from what there is to what is wanted, or to nothing.
extension ShootLoop {
    func reconcile(
        _ work: ShootWork,
        _ store: FlowStore,
        _ records: FlowRecords,
        isThorough: Bool
    ) async throws -> Step? {
        let shoot = work.shoot
        unfinished = isThorough ? .thorough : .changes
        if let restoration = records.restoration, restoration.phase == .replacing {
            return try await restore(work, store, records, restoration)
        }
        let isStarting = records.restoration?.phase == .starting
        let provider = try environment.provider(shoot.spec.provider.type)
        let rotation = records.rotation ?? Rotation()
        let type = kind(of: shoot, rotation, isStarting: isStarting)
        var tasks =
            shoot.isHibernated
            ? ShootFlows.hibernate(work, provider) : ShootFlows.reconcile(work, provider, rotation)
        if SnapshotsTask.isNeeded(work, records) {
            tasks.append(SnapshotsTask.make(work, after: [TaskName.certificates, TaskName.etcd]))
        }
        if type == .rotate { await tellRotation(work, records) }
        let known = shoot.isHibernated ? records.forgetting(TaskName.lostAsleep) : records
        // What was never made is made, whatever else is passed by.
        let hasAsked = work.asksCloud && (isThorough || known[TaskName.machines] == nil)
        let outcome = try await perform(
            work,
            tasks,
            type,
            from: known,
            isThorough: isThorough,
            save: { try await store.save($0, spec: shoot.spec) },
            conclude: { records in
                let now = Clock.unixTime()
                // All of the flow was done, so that this step is in force everywhere.
                if type == .rotate { records.rotation?.reached(at: now) }
                if type == .restore { records.restoration?.completed(at: now) }
                records.restoration?.passed()
                if hasAsked, shoot.spec.provider.type.isCloud, !shoot.isHibernated { records.lastLook = now }
            }
        )
        guard let outcome else { return nil }
        if outcome.errors.isEmpty, hasAsked, !shoot.isHibernated { mustAskCloud = false }
        if shoot.spec.provider.type.isCloud, outcome.errors.contains(where: { TaskName.inCloud.contains($0.task) }) {
            await doubtCloud(outcome.records, shoot, store)
        }
        return step(after: outcome, work, isThorough: isThorough)
    }

    /// Has the cloud asked for all that was made there, also by whoever starts anew.
    private func doubtCloud(_ records: FlowRecords, _ shoot: Shoot, _ store: FlowStore) async {
        (mustAskCloud, unfinished) = (true, .thorough)
        do {
            try await store.save(records.doubting(TaskName.inCloud), spec: shoot.spec)
        } catch {
            logger.warning("cannot write down what failed", metadata: ["reason": "\(error)"])
        }
    }

    /// What follows a flow that came to its end.
    private func step(after outcome: FlowOutcome, _ work: ShootWork, isThorough: Bool) -> Step {
        let shoot = work.shoot
        var sight = Sight(work: work, records: outcome.records)
        guard outcome.errors.isEmpty else {
            // What was found done is not there any more.
            if outcome.errors.contains(where: { $0.code == .removed }) { unfinished = .thorough }
            sight.lacksNodes = outcome.errors.contains {
                $0.code == .timeout && [TaskName.replacement, TaskName.nodesReady].contains($0.task)
            }
            return .look(sight, then: failures.wait())
        }
        remembered = (outcome.records, shoot.spec)
        lastSync = Clock.now()
        needsRepair = false
        if isThorough { hasCaughtUp = true }
        // What the garden could not be told is found done after a while, and told.
        unfinished = hasToldOtherwise ? .changes : nil
        guard unfinished == nil else { return .look(sight, then: failures.wait()) }
        settled = shoot.metadata.generation
        failures.reset()
        if !shoot.isHibernated, outcome.records.rotation?.isInForce == false { return .rest(.milliseconds(1)) }
        return .look(sight)
    }

    /// What a flow is called.
    private func kind(of shoot: Shoot, _ rotation: Rotation, isStarting: Bool) -> ShootStatus.OperationType {
        if shoot.isHibernated { return .hibernate }
        if isStarting { return .restore }
        if shoot.status?.observedGeneration == nil { return .create }
        return rotation.isInForce ? .reconcile : .rotate
    }

    /// Stops the control plane, and puts a snapshot in the place of what its etcd has; all of it starts with the next flow.
    private func restore(
        _ work: ShootWork,
        _ store: FlowStore,
        _ records: FlowRecords,
        _ restoration: Restoration
    ) async throws -> Step? {
        await tellRestoration(work, records)
        let isKnown = records[TaskName.certificates] != nil
        var tasks = ShootFlows.restore(work, restoration, grace: environment.serverGrace, isKnown: isKnown)
        if SnapshotsTask.isNeeded(work, records) {
            tasks.append(SnapshotsTask.make(work.atRest, after: isKnown ? [] : [TaskName.certificates]))
        }
        let save: @Sendable (FlowRecords) async throws -> Void = { try await store.save($0, spec: work.shoot.spec) }
        let outcome = try await perform(
            work,
            tasks,
            .restore,
            from: records.forgetting(TaskName.awaited),
            isThorough: false,
            isPart: true,
            save: save
        )
        guard let outcome else { return nil }
        // What the snapshot holds of ours is older; a pod that did not come to its end may have put it in place all the same.
        var next = outcome.records.doubting(TaskName.inShoot)
        // Whether more snapshots can be made is another matter.
        let errors = outcome.errors.filter { $0.task != TaskName.snapshots }
        if let error = errors.first(where: { $0.code == .restore }) {
            next.restoration?.failed(at: Clock.unixTime(), error.description)
        } else if errors.isEmpty {
            next.restoration?.replaced()
        } else {
            return .look(Sight(work: work, records: outcome.records), then: failures.wait())
        }
        try await save(next)
        await tellRestoration(work, next)
        return .rest(.milliseconds(1))
    }

    /// Says how far the restoration is before its next step begins.
    private func tellRestoration(_ work: ShootWork, _ records: FlowRecords) async {
        guard let restoration = ShootFields.restoration(records) else { return }
        _ = try? await environment.garden.patchStatus(of: work.shoot, ["restoration": restoration])
    }

    /// Renews what people come with, while all else waits for the maintenance window.
    func renewAccess(_ work: ShootWork, _ store: FlowStore, _ records: FlowRecords) async throws -> Step? {
        unfinished = .access
        let tasks = ShootFlows.renewAccess(work)
        let outcome = try await perform(work, tasks, .reconcile, from: records, isThorough: false) { records in
            try await store.save(records, spec: work.shoot.spec)
        }
        guard let outcome else { return nil }
        let sight = Sight(work: work, records: outcome.records)
        guard outcome.errors.isEmpty, !hasToldOtherwise else { return .look(sight, then: failures.wait()) }
        remembered = (outcome.records, work.shoot.spec)
        unfinished = nil
        failures.reset()
        return .look(sight)
    }

    /// Says how far the exchange of credentials is before its next step begins.
    func tellRotation(_ work: ShootWork, _ records: FlowRecords) async {
        guard let rotation = ShootFields.rotation(records) else { return }
        _ = try? await environment.garden.patchStatus(of: work.shoot, ["credentialRotation": rotation])
    }

    /// Has the first task of a flow say that the namespace is somebody else's; nothing else is done, or looked at, there.
    func tellForeign(_ work: ShootWork) async throws -> Step? {
        unfinished = .thorough
        let type = kind(of: work.shoot, Rotation(), isStarting: false)
        let tasks = [NamespaceTask.make(work)]
        // It may be ours by now: the next pass does the rest.
        let outcome = try await perform(work, tasks, type, from: FlowRecords(), isThorough: true, isPart: true) { _ in }
        guard let outcome else { return nil }
        return .rest(outcome.errors.isEmpty ? .milliseconds(1) : failures.wait())
    }

    func delete(_ work: ShootWork) async throws -> Step? {
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
        guard outcome.errors.isEmpty else { return .rest(failures.wait()) }
        try await release(work.shoot)
        return nil
    }

    /// The shoot's namespace in the seed, whosever it is; `nil` where there is none.
    ///
    /// It comes first and goes last: where there is none that is the shoot's, nothing was ever made.
    func namespace(of shoot: Shoot) async throws -> JSONValue? {
        guard let id = TechnicalID(project: shoot.namespace, name: shoot.name) else { return nil }
        return try await environment.seed.findDocument("/api/v1/namespaces/\(id)")
    }

    /// A shoot that is to go, as it was accepted last.
    ///
    /// By that what was made for it is found, and not by a later wish that cannot be. Only the credentials may be newer.
    func asMade(_ shoot: Shoot, in namespace: JSONValue) async throws -> Shoot {
        // What is written down goes with the namespace; all else was taken away before.
        let isGoing = namespace["metadata"]?["deletionTimestamp"] != nil
        guard !isGoing, let id = TechnicalID(project: shoot.namespace, name: shoot.name),
            let made = try await FlowStore(seed: environment.seed, namespace: "\(id)").load(of: shoot).spec
        else { return shoot }
        var shoot = shoot
        let credentials = shoot.spec.provider.infrastructure?["credentials"]
        shoot.spec = made
        if let credentials, let infrastructure = made.provider.infrastructure {
            shoot.spec.provider.infrastructure = infrastructure.merging(["credentials": credentials])
        }
        return shoot
    }

    /// Lets an object go that has nothing in the seed.
    ///
    /// That is said first: before a status says so the API server, where it asks, lets nobody take our finalizer away.
    func releaseUntouched(_ shoot: Shoot) async throws {
        let status = StatusWriter(garden: environment.garden, shoot: shoot, type: .delete, logger: logger)
        await status.ended(.succeeded, 100, "the seed has nothing of it", with: ["lastErrors": .null])
        try await release(shoot)
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
    ///
    /// One that is only a part says nothing of its good end.
    func perform(
        _ work: ShootWork,
        _ tasks: [ShootTask],
        _ type: ShootStatus.OperationType,
        from records: FlowRecords,
        isThorough: Bool,
        isPart: Bool = false,
        save: @escaping @Sendable (FlowRecords) async throws -> Void,
        conclude: (inout FlowRecords) -> Void = { _ in }
    ) async throws -> FlowOutcome? {
        (remembered, refused) = (nil, nil)
        let status = StatusWriter(garden: environment.garden, shoot: work.shoot, type: type, logger: logger)
        let start = Clock.now()
        underWay = nil
        let runner = FlowRunner(
            tasks: tasks,
            observer: status,
            save: { records in
                await self.note(records)
                try await save(records)
            },
            logger: logger,
            slots: environment.slots,
            isThorough: isThorough
        )
        var outcome = await run(runner, from: records, lookingAt: work)
        let isFound = outcome.performed == 0 && outcome.errors.isEmpty && !Task.isCancelled
        if !isFound { hasToldOtherwise = true }
        guard !Task.isCancelled else { return nil }
        if outcome.errors.isEmpty {
            let done = outcome.records
            conclude(&outcome.records)
            if outcome.records != done { try await save(outcome.records) }
        }
        if outcome.errors.isEmpty, isPart { return outcome }
        let took = Clock.now().since(start)
        environment.counts.ended(type, isSuccess: outcome.errors.isEmpty, nanoseconds: took.value)
        if isFound, type != .rotate, type != .restore, isTold(work.shoot) {
            logger.info("found done", metadata: ["operation": "\(type.rawValue)"])
        } else if outcome.errors.isEmpty {
            let fields = ShootFields.done(work, outcome.records, by: tasks)
            try await tellEnd(of: type, work.shoot, outcome, fields, seconds: took.seconds, status)
        } else {
            try await tellFailure(of: type, work.shoot, outcome, status)
        }
        return outcome
    }

    private func tellEnd(
        of type: ShootStatus.OperationType,
        _ shoot: Shoot,
        _ outcome: FlowOutcome,
        _ fields: JSONValue,
        seconds: UInt64,
        _ status: StatusWriter
    ) async throws {
        guard await status.ended(.succeeded, 100, "done in \(seconds) s", with: fields) else { return }
        hasToldOtherwise = false
        if shoot.operation != nil { try await wishes.acknowledge(shoot) }
        await events.tell(shoot, "\(type.rawValue)Succeeded", "done in \(seconds) s", isWarning: false)
        logger.notice("\(type.rawValue) done", metadata: ["seconds": "\(seconds)", "tasks": "\(outcome.performed)"])
    }

    private func tellFailure(
        of type: ShootStatus.OperationType,
        _ shoot: Shoot,
        _ outcome: FlowOutcome,
        _ status: StatusWriter
    ) async throws {
        let isFinal = outcome.errors.contains { $0.code.isFinal }
        let text = outcome.errors.map { "\($0.task): \($0.description)" }.joined(separator: "; ")
        await status.ended(
            isFinal ? .failed : .error,
            outcome.progress,
            text,
            with: ["lastErrors": try CanonicalJSON.value(outcome.errors)]
        )
        await events.tell(shoot, "\(type.rawValue)Failed", text, isWarning: true)
    }

    private func note(_ records: FlowRecords) { underWay = records }

    private func run(_ runner: FlowRunner, from records: FlowRecords, lookingAt work: ShootWork) async -> FlowOutcome {
        let begun = Clock.unixTime()
        // It ends with the flow.
        async let _: Void = lookAlong(work, records, since: begun)
        return await runner.run(from: records)
    }

    /// Whether the status says already that all was done: one that starts anew with a thousand shoots writes nothing.
    func isTold(_ shoot: Shoot) -> Bool {
        let last = shoot.status?.lastOperation
        return !hasToldOtherwise && shoot.operation == nil && last?.state == .succeeded && last?.type != .delete
            && shoot.status?.observedGeneration == shoot.metadata.generation
            && (shoot.status?.lastErrors ?? []).isEmpty
    }
}
