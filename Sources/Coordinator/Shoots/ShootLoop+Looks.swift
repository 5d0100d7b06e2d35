internal import ClusterModel
internal import KubernetesClient
internal import LinuxSystem
internal import Logging
internal import ShootPlan
internal import TendrilCore

/// Between flows: how the shoot is, and what has to be done although nobody asked.
extension ShootLoop {
    /// Looks at the shoot's health, and how long to wait for the next pass.
    func look(_ sight: Sight) async -> Nanoseconds {
        let (work, records) = (sight.work, sight.records)
        guard let conditions = await tellConditions(work, records) else { return .seconds(10) }
        await attend(work, records, conditions, isCertain: sight.lacksNodes)
        await keepSnapshots(work, records)
        let isAhead = conditions.contains { $0.reason == HealthCheck.nodesAhead }
        let isWell = conditions.allSatisfy { $0.status == "True" }
        let isBroken = conditions.contains { Self.repaired.contains($0.type) && $0.status == "False" }
        needsRepair = isBroken && repairs.mayRepair(at: Clock.now(), madeAt: lastSync) || isAhead && !hasCaughtUp
        if !isAhead { hasCaughtUp = false }
        return isWell ? Self.lookPause : .seconds(10)
    }

    /// Whether a cloud is asked in this pass if all is as it was made.
    func asksCloud(
        _ work: ShootWork,
        _ records: FlowRecords,
        _ operation: ShootOperation?,
        isThorough: Bool
    ) async -> Bool {
        let (shoot, now) = (work.shoot, Clock.unixTime())
        let isAskedFor = operation == .reconcile || operation == .retry
        if isAskedFor || mustAskCloud || !shoot.spec.provider.type.isCloud { return true }
        if CloudPace.isDue(shoot.key, last: records.lastLook, at: now) { return true }
        // What sleeps has nothing there that could be missed.
        guard isThorough, !shoot.isHibernated else { return false }
        do {
            let client = try await client(work, records)
            return try await environment.looks.holding { try await EndedMachines.mayBe(work, client, at: now) }
        } catch {
            // Nobody can tell what there is.
            return true
        }
    }

    /// Whether it is time to look what a cloud believes the owner by.
    func isCredentialLookDue(_ shoot: Shoot) -> Bool {
        shoot.spec.provider.type.isCloud && Clock.now() >= (lastCredentialLook ?? begun) + sync
    }

    /// Whether a cloud believes the owner by something else than it did, which is kept then.
    ///
    /// Looked at as often as everything is, and also outside of the maintenance window: a project that is deleted has nothing else
    /// left to end machines by. What is to be done before something else is kept comes along.
    func hasNewCredentials(
        _ work: ShootWork,
        _ records: FlowRecords,
        ahead prepare: @Sendable () async throws -> Void
    ) async -> Bool {
        // Ahead of the task that makes the namespace nothing is kept: somebody else may make one just now.
        guard isCredentialLookDue(work.shoot), records[TaskName.namespace] != nil,
            let provider = try? environment.provider(work.shoot.spec.provider.type)
        else { return false }
        do {
            let isOther = try await provider.keepCredentials(work, ahead: prepare)
            // What was cut short is looked at again.
            lastCredentialLook = Clock.now()
            return isOther
        } catch {
            logger.info("cannot look at the cloud's credentials", metadata: ["reason": "\(error)"])
            return false
        }
    }

    /// Looks after machines that do not become nodes; while a flow runs, that is its own task's.
    private func attend(_ work: ShootWork, _ records: FlowRecords, _ conditions: [Condition], isCertain: Bool) async {
        let isShort = conditions[ShootCondition.everyNodeReady.rawValue]?.status == "False"
        guard isCertain || isShort || hasMachinesWaiting, records[TaskName.machines] != nil, !work.facts.isHibernated,
            lastAttendance.map({ Clock.now() >= $0 + MachineRepair.period }) ?? true,
            let provider = try? environment.provider(work.shoot.spec.provider.type),
            let shoot = try? await client(work, records)
        else { return }
        lastAttendance = Clock.now()
        hasMachinesWaiting = await MachineRepair(work, provider, records, shoot)
            .attend(at: Clock.unixTime(), isCertain: isCertain || hasMachinesWaiting)
    }

    /// Keeps the snapshots to their number, and says which there are; some times an interval only, for stores count requests.
    private func keepSnapshots(_ work: ShootWork, _ records: FlowRecords) async {
        let made = try? records.output(TaskName.snapshots, as: SnapshotsTask.Output.self)
        guard let settings = work.facts.seed.snapshots, let made, made.isOn else {
            environment.counts.saw(isWithoutSnapshot: false, of: work.shoot.key)
            // Nobody looks whether they are still there.
            if work.facts.seed.snapshots == nil { try? await tellSnapshots(work, []) }
            return
        }
        let period = Nanoseconds.seconds(UInt64(min(max(settings.intervalMinutes, 1), 1440)) * 15)
        if lastSnapshotLook.map({ Clock.now() >= $0 + period }) ?? true { await lookAtSnapshots(work, records) }
        let now = Clock.unixTime()
        let times = (shoot.status?.snapshots ?? []).compactMap { KubernetesTime.seconds($0.time) }
        let isOverdue = made.begun.map {
            SnapshotPlan.isOverdue(since: times + [$0], every: settings.intervalMinutes, at: now)
        }
        environment.counts.saw(isWithoutSnapshot: isOverdue ?? false, of: work.shoot.key)
    }

    private func lookAtSnapshots(_ work: ShootWork, _ records: FlowRecords) async {
        let wanted = records.restoration.flatMap { $0.phase.isOver ? nil : $0.snapshot }
        do {
            // A store that hangs holds up few, and none of those who do not ask it.
            let there: [StoredSnapshot]? = try await environment.stores.holdingIfFree {
                try await ShootSnapshots(work)?.keep(sparing: wanted) ?? []
            }
            guard let there else { return }
            try await tellSnapshots(work, there.prefix(SnapshotPlan.told).map(\.told))
        } catch {
            // What was cut short is looked at again.
            guard !Task.isCancelled else { return }
            logger.warning("cannot look at the snapshots", metadata: ["reason": "\(error)"])
        }
        lastSnapshotLook = Clock.now()
    }

    private func tellSnapshots(_ work: ShootWork, _ snapshots: [ShootStatus.Snapshot]) async throws {
        guard snapshots != shoot.status?.snapshots ?? [] else { return }
        let told = try CanonicalJSON.value(snapshots)
        shoot.status = try await environment.garden.patchStatus(of: work.shoot, ["snapshots": told]).status
    }

    /// Has the status say how the shoot is while a flow takes long: a pool that is replaced may take an hour.
    ///
    /// Returns once it is cancelled; `begun` is when the flow began, in seconds since 1970.
    func lookAlong(_ work: ShootWork, _ records: FlowRecords, since begun: UInt64) async {
        // Before there was a cluster nothing is missing.
        guard !(shoot.status?.conditions ?? []).isEmpty, !work.shoot.isBeingDeleted else { return }
        while (try? await Task.sleep(Self.lookPause)) != nil {
            let newest = underWay ?? records
            await tellConditions(work, newest)
            await keepSnapshots(work, newest)
            // A pool that is replaced may take days, and people's certificates are good for one.
            if !work.facts.isHibernated, newest.renewals.hasComeDue(since: begun, at: Clock.unixTime()) {
                return restart()
            }
        }
    }

    /// Looks how the shoot is, and writes it down where that is news; `nil` where nobody can tell.
    @discardableResult
    private func tellConditions(_ work: ShootWork, _ records: FlowRecords) async -> [Condition]? {
        let isAsleep = settled == work.shoot.metadata.generation || shoot.status?.isHibernated == true
        let check = HealthCheck(work: work, records: records, board: environment.board, isAsleep: isAsleep) {
            try await self.client(work, records)
        }
        let seen = try? await environment.looks.holding { await check.conditions() }
        // What was cut short says nothing.
        guard let conditions = seen, !Task.isCancelled else { return nil }
        environment.counts.saw(conditions, of: work.shoot.key)
        let known = shoot.status?.conditions ?? []
        if let merged = Condition.merged(conditions, into: known, at: Clock.unixTime()),
            let value = try? CanonicalJSON.value(merged)
        {
            let patched = try? await environment.garden.patchStatus(of: work.shoot, ["conditions": value])
            if let patched { shoot.status = patched.status }
            let type = ShootCondition.authoritiesExpire
            if let expiry = conditions[type], known[type] == nil {
                await events.tell(work.shoot, expiry.type, expiry.message ?? "", isWarning: true)
            }
        }
        return conditions
    }

    /// The shoot's API by the credentials that were issued last, which are read once.
    func client(_ work: ShootWork, _ records: FlowRecords) async throws -> KubernetesClient {
        let leaves = try? records.output(TaskName.certificates, as: CertificatesTask.Output.self)
        let digest = leaves?.digests[ShootWork.ownCredentials] ?? ""
        if let known, known.digest == digest { return known.client }
        // One that does not answer is not to hold up the looks at others.
        let client = try await work.shootClient().hasty(.seconds(5), triesAgain: true)
        known = (digest, client)
        return client
    }

    /// Goes on with a shoot as it was accepted last, while its owner wants what cannot be: that is told once, and again after a flow,
    /// which has told of itself.
    func careOn(
        _ shoot: Shoot,
        as spec: Shoot.Spec,
        after error: any Error,
        _ store: FlowStore,
        _ records: FlowRecords
    ) async -> Step? {
        if refused != shoot.metadata.generation { await refuse(shoot, error) }
        let accepted = accepted(shoot, as: spec, records)
        // The status says what cannot be, and not what was done.
        let isKnown = records.isWhole && records[TaskName.systemReady] != nil
        do {
            let step = try await advance(try await makeWork(accepted), store, records, isKnown: isKnown)
            if step != nil, refused == nil, unfinished == nil { await refuse(shoot, error) }
            return step
        } catch {
            return await failed(shoot, error)
        }
    }

    /// Brings the restoration of a shoot that is to pause to its end: whatever else is wanted waits.
    func endRestoration(
        _ shoot: Shoot,
        as spec: Shoot.Spec,
        _ store: FlowStore,
        _ records: FlowRecords
    ) async throws -> Step? {
        try await advance(try await makeWork(accepted(shoot, as: spec, records)), store, records, isKnown: false)
    }

    /// The shoot as it was accepted last.
    private func accepted(_ shoot: Shoot, as spec: Shoot.Spec, _ records: FlowRecords) -> Shoot {
        var accepted = shoot
        accepted.spec = spec
        // What is wanted has a later one.
        accepted.metadata.generation = max(settled ?? 0, shoot.status?.observedGeneration ?? 0)
        // What somebody asks for waits until it can be; what was begun must not be begun again then.
        if !wishes.isBegun(shoot, records.restoration) {
            accepted.metadata.annotations?[ShootAnnotation.operation] = nil
        }
        return accepted
    }

    private func refuse(_ shoot: Shoot, _ error: any Error) async {
        _ = await failed(shoot, error)
        refused = shoot.metadata.generation
    }
}
