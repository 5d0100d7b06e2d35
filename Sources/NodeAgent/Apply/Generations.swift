internal import ClusterModel
internal import FoundationEssentials
package import LinuxSystem
internal import NodePlan
internal import TendrilCore

/// Brings generations into force, one at a time: what is on its way is kept until it has proven itself, and what was in
/// force until then can be brought back as a whole.
package struct Generations: Sendable {
    let context: AgentContext
    let access: ClusterAccess
    /// The document that was read last, by its checksum: passes that change nothing read it again and again.
    private let lastRead = Guarded<(checksum: String, document: NodeConfiguration)?>(nil)
    /// Whether files and units are being changed now.
    let carriesOut = Guarded(false)
    private var store: StateStore<ConfinedFiles> { context.store }

    package init(_ context: AgentContext, _ access: ClusterAccess) {
        (self.context, self.access) = (context, access)
    }

    package func applied() throws -> SignedConfiguration? {
        try store.load(SignedConfiguration.self, AgentPaths.applied)
    }
    package func pending() throws -> SignedConfiguration? { try onItsWay()?.configuration }
    package func rejections() throws -> [Rejection] { try store.load([Rejection].self, AgentPaths.rejected) ?? [] }

    /// When the kubelet was started last for what is on its way; `nil` where it was not.
    package func kubeletStart() throws -> Moment? { try onItsWay()?.kubeletStart }

    /// What is on its way, with what is kept of it; `nil` where there is nothing but what is in force.
    func onItsWay() throws -> PendingGeneration? {
        guard let pending = try store.load(PendingGeneration.self, AgentPaths.pending),
            try applied()?.checksum != pending.configuration.checksum
        else { return nil }
        return pending.migrated()
    }

    /// Removes what a stop left while a generation was put into force: it is no longer on its way.
    package func tidy() throws {
        guard let pending = try store.load(PendingGeneration.self, AgentPaths.pending),
            try applied()?.checksum == pending.configuration.checksum
        else { return }
        try settle()
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
            let own = kept.first { $0.checksum == new.checksum }
            if let own, own.isOpen != true { throw Self.takenBack(new.generation, own.reason) }
            let others = kept.filter { $0.checksum != new.checksum }.map(\.generation)
            if let newest, new.generation <= max(newest.generation, others.max() ?? 0) {
                throw AgentFailure(
                    .outdated,
                    "generation \(new.generation) is not newer than \(newest.generation), which is here already"
                )
            }
            let pending = PendingGeneration(
                configuration: new,
                authority: older?.authority ?? Data(access.authority),
                isBegun: older.map { $0.isBegun ?? true } ?? false,
                kubeletStart: older?.kubeletStart,
                isSecondTry: own == nil ? nil : true,
                beliefs: Beliefs(context.configuration)
            )
            try store.save(pending, AgentPaths.pending)
            return true
        }
    }

    /// What is shown of a generation that did not prove itself.
    static func takenBack(_ generation: Int, _ reason: String) -> AgentFailure {
        AgentFailure(.badDesiredState, AgentCondition.takenBack(generation, reason))
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
        if startsKubelet { pending.kubeletStart = Moment.now() }
        if pending != before { try store.save(pending, AgentPaths.pending) }
    }

    /// Puts the pending generation into force.
    package func promote(_ configuration: SignedConfiguration) throws(AgentFailure) {
        try attempt("keep generation \(configuration.generation)") {
            try store.save(configuration, AgentPaths.applied)
            try settle()
        }
    }

    /// What is left to do once a generation is in force.
    private func settle() throws {
        // User data that was written since then is new to it.
        let beliefs = try store.load(PendingGeneration.self, AgentPaths.pending)?.beliefs
        if let beliefs { try store.save(beliefs, AgentPaths.beliefs) }
        try store.remove(AgentPaths.pending)
    }

    /// Why the generation on its way is being taken back; `nil` where it is not.
    func rejection(of pending: SignedConfiguration) throws -> Rejection? {
        let rejection = try rejections().first { $0.checksum == pending.checksum }
        let isOfFirstTry = try rejection?.isOpen == true && isSecondTry()
        return isOfFirstTry ? nil : rejection
    }

    private func isSecondTry() throws -> Bool { try onItsWay()?.isSecondTry == true }

    /// Notes that the generation on its way is not to be tried again, before the last one is brought back.
    ///
    /// - Parameters:
    ///   - configuration: is on its way.
    ///   - reason: in words.
    ///   - isOpen: whether it may be tried once more after all; that has to be its first try.
    /// - Throws: `AgentFailure`; nothing is to be brought back then.
    func reject(_ configuration: SignedConfiguration, _ reason: String, isOpen: Bool) throws(AgentFailure) {
        try attempt("keep the reason of a roll-back") {
            var list = try rejections().filter { $0.checksum != configuration.checksum }
            let mayFollow = try isOpen && !isSecondTry()
            list.append(
                Rejection(
                    checksum: configuration.checksum,
                    generation: configuration.generation,
                    reason: reason,
                    isOpen: mayFollow ? true : nil
                )
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
