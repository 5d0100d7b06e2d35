internal import ClusterModel
internal import FoundationEssentials
internal import KubernetesClient
internal import LinuxSystem
internal import Logging
internal import NodePlan
internal import TLSEngine
internal import TendrilCore

/// How the machine becomes what a generation wants.
extension Generations {
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
        let change = Self.change(plan, of: spec)
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

    /// Makes the machine as the generation in force wants it, as far as that needs nobody's answer.
    ///
    /// What can be had from nowhere stays as it stands on the machine; later passes bring it.
    ///
    /// - Parameters:
    ///   - configuration: is in force.
    ///   - permit: as above.
    /// - Returns: what it came to.
    /// - Throws: `AgentFailure`; it can be tried again.
    package func applyAlone(
        _ configuration: SignedConfiguration,
        permit: (Change) async -> Bool
    ) async throws(AgentFailure) -> Outcome {
        let spec = try document(configuration).spec
        let plan = try await planAlone(configuration)
        let change = Self.change(plan, of: spec)
        if !plan.disrupted.isEmpty, !(await permit(change)) { return .deferred(units: plan.disrupted) }
        guard !plan.isEmpty else { return .nothingToDo }
        try await carryOut(plan, of: configuration)
        return .changed(units: plan.disrupted, change)
    }

    /// Brings the generation in force back as a whole, also where nobody answers.
    ///
    /// What can be had from nowhere stays as it stands on the machine; later passes bring it.
    ///
    /// - Throws: `AgentFailure`; it can be tried again.
    package func restore(_ configuration: SignedConfiguration) async throws(AgentFailure) {
        let named = try document(configuration).spec.certificateAuthority
        try attempt("believe what generation \(configuration.generation) was reached by") {
            // It was proven when it was adopted, and may be what the API server is reached by.
            let authority = try onItsWay()?.authority ?? named.map { Data($0.utf8) }
            if let authority { try access.believe(Array(authority), context) }
        }
        try await carryOut(try await planAlone(configuration), of: configuration)
    }

    private static func change(_ plan: Plan, of spec: NodeConfiguration.Spec) -> Change {
        !plan.written.isEmpty && plan.written.isSubset(of: spec.followedPaths) ? .following : .other
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

    /// The way to a configuration as far as it goes where nobody answers.
    private func planAlone(_ configuration: SignedConfiguration) async throws(AgentFailure) -> Plan {
        var document = try document(configuration)
        let contents: [String: [UInt8]]
        do {
            let client = access.client.hasty(.seconds(5), triesAgain: false)
            contents = try await ForeignContents(context, client).fetchOrKeep(&document.spec)
        } catch {
            throw AgentFailure(error, doing: "read what stands on the machine")
        }
        let whole = try await plan(document, contents)
        let images = ImageFiles(context)
        return try await attempting("fetch") { try await Blocking.run("fetch") { images.obtainable(of: whole) } }
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
}
