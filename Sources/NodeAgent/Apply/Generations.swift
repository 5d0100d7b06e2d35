internal import ClusterModel
internal import FoundationEssentials
internal import HTTPModel
internal import KubernetesClient
internal import LinuxSystem
internal import Logging
internal import NodePlan
internal import TLSEngine
internal import TendrilCore

/// A generation on its way.
package struct PendingGeneration: Codable, Hashable, Sendable {
    package var configuration: SignedConfiguration
}

/// Brings generations into force, one at a time: what is on its way is kept until it has proven itself, and what was in
/// force until then can be brought back as a whole.
package struct Generations: Sendable {
    private let context: AgentContext
    private let membership: Membership
    /// The document that was read last, by its checksum: passes that change nothing read it again and again.
    private let lastRead = Guarded<(checksum: String, document: NodeConfiguration)?>(nil)
    private var store: StateStore<ConfinedFiles> { context.store }

    package init(_ context: AgentContext, _ membership: Membership) {
        (self.context, self.membership) = (context, membership)
    }

    package func applied() throws -> SignedConfiguration? {
        try store.load(SignedConfiguration.self, AgentPaths.applied)
    }
    package func pending() throws -> SignedConfiguration? {
        try store.load(PendingGeneration.self, AgentPaths.pending)?.configuration
    }
    package func rejections() throws -> [Rejection] { try store.load([Rejection].self, AgentPaths.rejected) ?? [] }

    /// Takes a proven configuration as the next generation, unless it is the one in force; whether it did.
    package func accept(_ new: SignedConfiguration) throws(AgentFailure) -> Bool {
        do {
            let newest = try pending() ?? applied()
            if newest?.checksum == new.checksum { return try pending() != nil }
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
            try store.save(PendingGeneration(configuration: new), AgentPaths.pending)
            return true
        } catch {
            throw AgentFailure(error, doing: "take generation \(new.generation)")
        }
    }

    /// What is shown of a generation that did not prove itself.
    static func takenBack(_ generation: Int, _ reason: String) -> AgentFailure {
        AgentFailure(.badDesiredState, "generation \(generation) was taken back: \(reason)")
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
    func apply(
        _ configuration: SignedConfiguration,
        permit: (Change) async -> Bool
    ) async throws(AgentFailure) -> Outcome {
        let document = try document(configuration)
        let plan = try await plan(configuration)
        let applier = Applier(files: context.files, units: context.units)
        do {
            // First: a stop after the plan was carried out must not leave the agent with the old CA.
            if let authority = document.spec.certificateAuthority { try adopt(Array(authority.utf8)) }
            guard !plan.isEmpty else { return .nothingToDo }
            let isFollowing = !plan.written.isEmpty && plan.written.isSubset(of: document.spec.followedPaths)
            let change: Change = isFollowing ? .following : .other
            if !plan.disrupted.isEmpty, !(await permit(change)) { return .deferred(units: plan.disrupted) }
            context.logger.info(
                "applying",
                metadata: ["generation": "\(configuration.generation)", "steps": "\(plan.steps.count)"]
            )
            let images = ImageFiles(context)
            try await Blocking.run("apply") {
                // Before anything is changed: what cannot be had keeps nothing half done.
                try images.fetch(for: plan)
                try applier.carryOut(plan)
                images.tidy()
            }
            return .changed(units: plan.disrupted, change)
        } catch {
            throw AgentFailure(error, doing: "apply generation \(configuration.generation)")
        }
    }

    /// The way from what is to what a proven configuration wants.
    func plan(_ configuration: SignedConfiguration) async throws(AgentFailure) -> Plan {
        let document = try document(configuration)
        var secrets = try await fetchSecrets(document)
        if let path = document.spec.tunnelCertificate?.path {
            // Only what is on its way: one that was taken back asks for nothing of what it was to bring.
            let isPending = (try? pending())??.checksum == configuration.checksum
            let issuer = isPending ? document.spec.certificateIssuers?.agent : nil
            secrets[path] = try await TunnelCertificate(context, membership.client).current(issuer: issuer)
        }
        let applier = Applier(files: context.files, units: context.units)
        do {
            let desired = try DesiredNode(document, on: context.host, secrets: secrets) { Digest.hex($0) }
            return try await Blocking.run("plan") { try applier.plan(to: desired) }
        } catch {
            throw AgentFailure(error, doing: "plan generation \(configuration.generation)")
        }
    }

    /// Puts the pending generation into force.
    func promote(_ configuration: SignedConfiguration) throws(AgentFailure) {
        do {
            try store.save(configuration, AgentPaths.applied)
            try store.remove(AgentPaths.pending)
        } catch {
            throw AgentFailure(error, doing: "keep generation \(configuration.generation)")
        }
    }

    /// Notes that a generation is not to be tried again, before the last one is brought back.
    func reject(_ configuration: SignedConfiguration, _ reason: String) throws(AgentFailure) {
        do {
            var list = try rejections().filter { $0.checksum != configuration.checksum }
            list.append(
                Rejection(checksum: configuration.checksum, generation: configuration.generation, reason: reason)
            )
            try store.save(Array(list.suffix(16)), AgentPaths.rejected)
        } catch {
            throw AgentFailure(error, doing: "keep the reason of a roll-back")
        }
    }

    /// Forgets the pending generation.
    func dropPending() throws(AgentFailure) {
        do { try store.remove(AgentPaths.pending) } catch { throw AgentFailure(error, doing: "forget a generation") }
    }

    /// What a document wants of health, and how it is checked.
    func document(_ configuration: SignedConfiguration) throws(AgentFailure) -> NodeConfiguration {
        if let last = lastRead.withLock({ $0 }), last.checksum == configuration.checksum { return last.document }
        let reader = ConfigurationReader(keys: [], pool: context.identity.pool)
        let document = try reader.read(Array(configuration.document), configuration.name)
        lastRead.withLock { $0 = (configuration.checksum, document) }
        return document
    }

    private func adopt(_ authority: [UInt8]) throws {
        guard try context.files.read(AgentPaths.authority) != authority else { return }
        try context.files.replace(AgentPaths.authority, authority, mode: 0o600)
        membership.client.use(context.security(.bundle(authority), membership.credential))
    }

    private func fetchSecrets(_ document: NodeConfiguration) async throws(AgentFailure) -> [String: [UInt8]] {
        var contents: [String: [UInt8]] = [:]
        for file in document.spec.files ?? [] {
            guard let reference = file.content.secretRef else { continue }
            let secret: KubernetesSecret
            do {
                secret = try await membership.client.get(
                    KubernetesSecret.self,
                    reference.name,
                    namespace: TendrilAPI.namespace
                )
            } catch {
                throw AgentFailure(error, doing: "read the Secret \(reference.name) for \(file.path)")
            }
            // Never put an empty credential in the place of a good one.
            guard let bytes = secret[reference.key], !bytes.isEmpty else {
                throw AgentFailure(
                    .badDesiredState,
                    "the Secret \(reference.name) has nothing under \(reference.key) for \(file.path)"
                )
            }
            contents[file.path] = bytes
        }
        return contents
    }
}
