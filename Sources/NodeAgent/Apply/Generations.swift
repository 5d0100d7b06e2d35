internal import ClusterModel
internal import FoundationEssentials
internal import KubernetesClient
internal import LinuxSystem
internal import Logging
internal import NodePlan
internal import TLSEngine
internal import TendrilCore

/// Brings generations into force, one at a time: what is on its way is kept until it has proven itself, and what was in
/// force until then can be brought back as a whole.
package struct Generations: Sendable {
    private let context: AgentContext
    private let access: ClusterAccess
    /// The document that was read last, by its checksum: passes that change nothing read it again and again.
    private let lastRead = Guarded<(checksum: String, document: NodeConfiguration)?>(nil)
    /// Whether files and units are being changed now.
    private let carriesOut = Guarded(false)
    private var store: StateStore<ConfinedFiles> { context.store }

    package init(_ context: AgentContext, _ access: ClusterAccess) {
        (self.context, self.access) = (context, access)
    }

    package func applied() throws -> SignedConfiguration? {
        try store.load(SignedConfiguration.self, AgentPaths.applied)
    }
    package func pending() throws -> SignedConfiguration? { try onItsWay()?.configuration }
    package func rejections() throws -> [Rejection] { try store.load([Rejection].self, AgentPaths.rejected) ?? [] }

    /// When the kubelet was started last for what is on its way, in seconds since 1970; `nil` where it was not.
    package func begunAt() throws -> UInt64? { try onItsWay()?.begunAt }

    private func onItsWay() throws -> PendingGeneration? {
        guard let pending = try store.load(PendingGeneration.self, AgentPaths.pending),
            try applied()?.checksum != pending.configuration.checksum
        else { return nil }
        return pending
    }

    /// Removes what a stop left while a generation was put into force: it is no longer on its way.
    package func tidy() throws {
        guard let pending = try store.load(PendingGeneration.self, AgentPaths.pending),
            try applied()?.checksum == pending.configuration.checksum
        else { return }
        try store.remove(AgentPaths.pending)
    }

    /// Whether nothing was changed on the machine yet for what is on its way.
    package func isUntouched() throws -> Bool { try onItsWay().map { $0.isBegun == false } ?? true }

    /// What the machine was made as: the generation in force and, after it, what is on its way once that has begun.
    ///
    /// - Returns: none before a generation is in force.
    /// - Throws: `AgentFailure` or `SystemError` where that cannot be read.
    func begun() throws -> [NodeConfiguration.Spec] {
        guard let applied = try applied() else { return [] }
        var specs = [try document(applied).spec]
        if try !isUntouched(), let pending = try pending() { specs.append(try document(pending).spec) }
        return specs
    }

    /// Whether files and units are being changed now.
    var isCarryingOut: Bool { carriesOut.withLock { $0 } }

    /// Takes a proven configuration as the next generation, unless it is the one in force; whether it did.
    package func accept(_ new: SignedConfiguration) throws(AgentFailure) -> Bool {
        try attempt("take generation \(new.generation)") {
            let older = try onItsWay()
            let newest = try older?.configuration ?? applied()
            if newest?.checksum == new.checksum { return older != nil }
            let kept = try rejections()
            if let rejection = kept.first(where: { $0.checksum == new.checksum }) {
                throw Self.takenBack(new.generation, rejection.reason)
            }
            if let newest, new.generation <= max(newest.generation, kept.map(\.generation).max() ?? 0) {
                throw AgentFailure(
                    .outdated,
                    "generation \(new.generation) is not newer than \(newest.generation), which is here already"
                )
            }
            let pending = PendingGeneration(
                configuration: new,
                authority: older?.authority ?? Data(access.authority),
                isBegun: older.map { $0.isBegun ?? true } ?? false,
                begunAt: older?.begunAt
            )
            try store.save(pending, AgentPaths.pending)
            return true
        }
    }

    /// What is shown of a generation that did not prove itself.
    static func takenBack(_ generation: Int, _ reason: String) -> AgentFailure {
        AgentFailure(.badDesiredState, AgentCondition.takenBack(generation, reason))
    }

    /// The first generation of a machine: taken and applied; it proves itself by the Node that comes of it.
    func bring(_ new: SignedConfiguration) async throws(AgentFailure) {
        _ = try accept(new)
        _ = try await apply(new, permit: { _ in true })
    }

    /// What kind of change it is.
    package enum Change: Hashable, Sendable {
        /// Only contents that come from elsewhere, and what reads them.
        case following
        case other
    }

    /// What applying came to.
    package enum Outcome: Hashable, Sendable {
        case nothingToDo
        case changed(units: [String], Change)
        /// It would disturb pods, and that is not allowed now.
        case deferred(units: [String])
    }

    /// Makes the machine as a configuration wants it.
    ///
    /// - Parameters:
    ///   - configuration: was proven.
    ///   - permit: asked for leave before units are restarted or stopped.
    /// - Returns: what it came to.
    /// - Throws: `AgentFailure`; what was done stays, and the next attempt goes on from there.
    package func apply(
        _ configuration: SignedConfiguration,
        permit: (Change) async -> Bool
    ) async throws(AgentFailure) -> Outcome {
        let spec = try document(configuration).spec
        let plan = try await plan(configuration)
        let isFollowing = !plan.written.isEmpty && plan.written.isSubset(of: spec.followedPaths)
        let change: Change = isFollowing ? .following : .other
        let images = ImageFiles(context)
        do {
            // Before anything is changed: what cannot be had keeps nothing half done. Also before leave is taken, for others
            // wait for that.
            if !plan.isEmpty { try await Blocking.run("fetch") { try images.fetch(for: plan) } }
            if !plan.disrupted.isEmpty, !(await permit(change)) { return .deferred(units: plan.disrupted) }
            // A stop after the plan was carried out must not leave the agent with the old CA.
            if let authority = spec.certificateAuthority { try await access.adopt(Array(authority.utf8), context) }
            guard !plan.isEmpty else { return .nothingToDo }
            try begin(configuration, startsKubelet: plan.starts(KubeletPaths.unit))
        } catch {
            throw AgentFailure(error, doing: "apply generation \(configuration.generation)")
        }
        try await carryOut(plan, of: configuration)
        return .changed(units: plan.disrupted, change)
    }

    /// Brings the generation in force back as a whole, also where nobody answers.
    ///
    /// What can be had from nowhere stays as it stands on the machine; later passes bring it.
    ///
    /// - Throws: `AgentFailure`; it can be tried again.
    package func restore(_ configuration: SignedConfiguration) async throws(AgentFailure) {
        var document = try document(configuration)
        let plan: Plan
        do {
            // It was proven when it was adopted, and may be what the API server is reached by.
            let authority = try onItsWay()?.authority ?? document.spec.certificateAuthority.map { Data($0.utf8) }
            if let authority { try access.believe(Array(authority), context) }
            let client = access.client.hasty(.seconds(5), triesAgain: false)
            let contents = try await ForeignContents(context, client).fetchOrKeep(&document.spec)
            let whole = try await self.plan(document, contents)
            let images = ImageFiles(context)
            plan = try await Blocking.run("fetch") { images.obtainable(of: whole) }
        } catch {
            throw AgentFailure(error, doing: "bring back generation \(configuration.generation)")
        }
        try await carryOut(plan, of: configuration)
    }

    private func carryOut(_ plan: Plan, of configuration: SignedConfiguration) async throws(AgentFailure) {
        context.logger.info(
            "applying",
            metadata: ["generation": "\(configuration.generation)", "steps": "\(plan.steps.count)"]
        )
        let (images, applier) = (ImageFiles(context), context.applier)
        carriesOut.withLock { $0 = true }
        defer { carriesOut.withLock { $0 = false } }
        try await attempting("apply generation \(configuration.generation)") {
            try await Blocking.run("apply") {
                try applier.carryOut(plan)
                images.tidy()
            }
        }
    }

    /// Has files follow what they come from while a restart waits for leave, that of a generation on its way that wants them
    /// all the same among others.
    ///
    /// Only those that no unit waits for: who reads them notices by itself, and what lives for a day does not wait for leave.
    ///
    /// - Returns: the paths of those that have changed.
    package func follow() async -> [String] {
        var changed: [String] = []
        for file in (try? followedAlone()) ?? [] {
            do {
                if try await follow(file) { changed.append(file.path) }
            } catch {
                // What keeps the other generation from coming into force is told already.
                context.logger.debug("cannot follow", metadata: ["path": "\(file.path)", "reason": "\(error)"])
            }
        }
        return changed
    }

    /// The files that the generation in force and what is on its way follow alike, and no unit waits for.
    private func followedAlone() throws -> [NodeConfiguration.File] {
        guard let applied = try applied() else { return [] }
        let old = try document(applied).spec
        let new = if let pending = try pending() { try document(pending).spec } else { old }
        return old.followedFiles.filter { file in
            new.followedFiles.contains(file) && !old.isWaitedFor(file.path) && !new.isWaitedFor(file.path)
        }
    }

    private func follow(_ file: NodeConfiguration.File) async throws -> Bool {
        guard let mode = FileMode(file.mode ?? "0600"), let old = try context.files.read(file.path) else {
            return false
        }
        let new = try await ForeignContents(context, access.client).fetch(file, issuer: nil)
        guard new != old else { return false }
        try context.files.replace(file.path, new, mode: mode.bits)
        return true
    }

    /// The way from what is to what a proven configuration wants.
    func plan(_ configuration: SignedConfiguration) async throws(AgentFailure) -> Plan {
        let document = try document(configuration)
        // Only what is on its way: one that was taken back asks for nothing of what it was to bring.
        let isPending = (try? pending())??.checksum == configuration.checksum
        let issuer = isPending ? document.spec.certificateIssuers?.agent : nil
        let contents = try await ForeignContents(context, access.client).fetch(document.spec, issuer: issuer)
        return try await plan(document, contents)
    }

    private func plan(
        _ document: NodeConfiguration,
        _ contents: [String: [UInt8]]
    ) async throws(AgentFailure) -> Plan {
        let applier = context.applier
        return try await attempting("plan generation \(document.metadata.generation)") {
            let desired = try DesiredNode(document, on: context.host, secrets: contents) { Digest.hex($0) }
            return try await Blocking.run("plan") { try applier.plan(to: desired) }
        }
    }

    /// Notes that the machine is changed for the pending generation from now on.
    ///
    /// - Parameters:
    ///   - configuration: nothing happens where it is not the pending one.
    ///   - startsKubelet: whether the kubelet is about to be started, or started anew.
    /// - Throws: `SystemError`; nothing is to be changed then.
    func begin(_ configuration: SignedConfiguration, startsKubelet: Bool) throws {
        guard let before = try onItsWay(), before.configuration.checksum == configuration.checksum else { return }
        var pending = before
        pending.isBegun = true
        if startsKubelet { pending.begunAt = Clock.unixTime() }
        if pending != before { try store.save(pending, AgentPaths.pending) }
    }

    /// Puts the pending generation into force.
    package func promote(_ configuration: SignedConfiguration) throws(AgentFailure) {
        try attempt("keep generation \(configuration.generation)") {
            try store.save(configuration, AgentPaths.applied)
            try store.remove(AgentPaths.pending)
        }
    }

    /// Notes that a generation is not to be tried again, before the last one is brought back.
    func reject(_ configuration: SignedConfiguration, _ reason: String) throws(AgentFailure) {
        try attempt("keep the reason of a roll-back") {
            var list = try rejections().filter { $0.checksum != configuration.checksum }
            list.append(
                Rejection(checksum: configuration.checksum, generation: configuration.generation, reason: reason)
            )
            try store.save(Array(list.suffix(16)), AgentPaths.rejected)
        }
    }

    /// Forgets the pending generation.
    func dropPending() throws(AgentFailure) {
        try attempt("forget a generation") { try store.remove(AgentPaths.pending) }
    }

    /// What a signed configuration says; of the one that was read last as it was read.
    func document(_ configuration: SignedConfiguration) throws(AgentFailure) -> NodeConfiguration {
        if let last = lastRead.withLock({ $0 }), last.checksum == configuration.checksum { return last.document }
        let reader = ConfigurationReader(keys: [], pool: context.identity.pool)
        let document = try reader.read(Array(configuration.document), configuration.name)
        lastRead.withLock { $0 = (configuration.checksum, document) }
        return document
    }
}
