internal import ClusterModel
internal import FoundationEssentials
internal import HTTPModel
internal import KubernetesClient
internal import LinuxSystem
internal import Logging
internal import NodePlan
internal import TLSEngine
internal import TendrilCore

/// Turns a bare machine into a node, phase by phase.
///
/// Every phase looks for what is done already, so that a stop at any moment costs nothing but its own work.
package final class Bootstrap: Sendable {
    let context: AgentContext
    private let progress: Guarded<Progress>
    let reporter: BootstrapReporter
    private let began = Clock.now()
    /// Of the certificate that the machine has, in seconds since 1970.
    private let expiry = Guarded<UInt64?>(nil)

    package init(_ context: AgentContext) throws {
        self.context = context
        let kept = try context.store.load(Progress.self, AgentPaths.progress)
        progress = Guarded(kept ?? Progress(at: Clock.unixTime()))
        reporter = BootstrapReporter(context)
    }

    /// How far it is.
    package var state: Progress { progress.withLock { $0 } }

    /// Runs all phases that are not done.
    ///
    /// - Returns: what steady state goes on with.
    /// - Throws: `AgentFailure` of the phase that `state` names.
    package func run() async throws(AgentFailure) -> ClusterAccess {
        if let access = joined() { return access }
        // A machine that has an identity needs no token, whatever it did before.
        try await step(.preflight) { () async throws(AgentFailure) in try preflight() }
        let authority = try await step(.trust) { () async throws(AgentFailure) in try await trust() }
        let kept = keptIdentity()
        if kept == nil {
            try await step(.authenticate) { () async throws(AgentFailure) in try await authenticate(authority) }
        }
        let identity = try await step(.identity) { () async throws(AgentFailure) in
            if let kept { return kept }
            return try await requestIdentity(authority)
        }
        expiry.withLock { $0 = identity.facts.expiry }
        let client = context.client(trust: authority, as: identity.credential)
        reporter.use(client)
        let access = ClusterAccess(client: client, authority: authority, identity: identity)
        if wasNode {
            // It has something in force, and may have refused what is published: that is judged in steady state.
            try await step(.apply) { () async throws(AgentFailure) in
                try KubeletCredentials.write(context, access)
            }
            return try await finish(access)
        }
        let desired = try await step(.desiredState) { () async throws(AgentFailure) in
            try await DesiredState(context, client).fetch()
        }
        try await step(.apply) { () async throws(AgentFailure) in try await apply(desired, access) }
        try await step(.kubelet) { () async throws(AgentFailure) in try await awaitKubelet() }
        try await step(.ready) { () async throws(AgentFailure) in try await awaitReady(client) }
        return try await finish(access)
    }

    private func finish(_ access: ClusterAccess) async throws(AgentFailure) -> ClusterAccess {
        try await step(.cleanup) { () async throws(AgentFailure) in try TokenCleanUp(context).run() }
        try await step(.done) { () async throws(AgentFailure) in }
        return access
    }

    /// Whether a generation was in force on this machine.
    private var wasNode: Bool {
        let applied = try? context.store.load(SignedConfiguration.self, AgentPaths.applied)
        return applied != nil
    }

    /// What a machine has that was a node before: it needs nobody's answer to be looked after.
    private func joined() -> ClusterAccess? {
        // A token that is there belongs to a machine that joins, for the first time or again.
        guard wasNode, (try? context.files.kind(tokenPath)) == .absent, let identity = keptIdentity(),
            let authority = try? context.files.read(AgentPaths.authority)
        else {
            return nil
        }
        try? context.applier.tidy()
        if (try? context.files.kind(AgentPaths.beliefs)) == .absent { try? context.noteBeliefs() }
        progress.withLock { ($0.phase, $0.error, $0.cause) = (.done, nil, nil) }
        let client = context.client(trust: authority, as: identity.credential)
        reporter.use(client)
        return ClusterAccess(client: client, authority: authority, identity: identity)
    }

    /// Runs a phase and keeps what came of it.
    private func step<Result: Sendable>(
        _ phase: BootstrapPhase,
        _ body: () async throws(AgentFailure) -> Result
    ) async throws(AgentFailure) -> Result {
        progress.withLock { $0.phase = phase }
        await show()
        do throws(AgentFailure) {
            let result = try await body()
            let milliseconds = Int(Clock.now().since(began).milliseconds)
            progress.withLock { progress in
                (progress.error, progress.cause) = (nil, nil)
                if !progress.timings.contains(where: { $0.phase == phase }) {
                    progress.timings.append(NodeBootstrap.Timing(phase, milliseconds: milliseconds))
                }
            }
            context.logger.debug("phase done", metadata: ["phase": "\(phase.rawValue)"])
            if phase == .done { await show() }
            return result
        } catch {
            progress.withLock { progress in
                progress.attempts += 1
                (progress.error, progress.cause) = (error.message, error.cause)
            }
            await show()
            throw error
        }
    }

    private func show() async {
        let now = state
        try? context.store.save(now, AgentPaths.progress)
        StatusFile.write(context, progress: now, expiry: expiry.withLock { $0 })
        context.service.notify("STATUS=bootstrap: \(now.phase.rawValue)" + (now.error.map { ": \($0)" } ?? ""))
        await reporter.report(now)
    }

    // MARK: - Phases

    private func preflight() throws(AgentFailure) {
        let problems = context.configuration.problems
        guard problems.isEmpty else {
            throw AgentFailure(.invalidConfiguration, "\(AgentConfiguration.path): \(problems[0])")
        }
        guard Program.exists(Systemctl.path) else {
            throw AgentFailure(.missingProgram, "\(Systemctl.path) is missing")
        }
        // Before 2020 no certificate of ours was valid; a machine without a battery starts there.
        guard Clock.unixTime() > 1_577_836_800 else {
            throw AgentFailure(
                .clock,
                "the clock says \(KubernetesTime.text(seconds: Clock.unixTime())); is time synchronised?"
            )
        }
        try attempt("keep state in \(AgentPaths.state)") {
            try context.files.makeDirectories(for: AgentPaths.progress, mode: 0o700)
            try context.store.save(state, AgentPaths.progress)
            try context.applier.tidy()
        }
    }

    private func trust() async throws(AgentFailure) -> [UInt8] {
        let kept = try? context.files.read(AgentPaths.authority)
        var isSuperseded = false
        // A signed configuration may have brought another CA since the user data was written, also to a machine with an
        // identity that did not become a node yet.
        if let kept, wasNode || keptIdentity() != nil {
            isSuperseded = await self.isSuperseded(kept)
            if !isSuperseded { return kept }
        }
        if let bundle = context.configuration.certificateAuthority {
            return try keepAuthority(Array(bundle.utf8), isSuperseding: isSuperseded)
        }
        let pins = context.configuration.certificateAuthorityPins ?? []
        if let kept, !isSuperseded, let facts = try? CertificateFacts.bundle(kept, "CA bundle"),
            ClusterInfo.isPinned(facts, by: pins)
        {
            return kept
        }
        let token = try token()
        let open = context.client(context.security(.unproven, .none))
        let map = try await attempting("fetch cluster-info") {
            try await open.get(ConfigMap.self, ClusterInfo.name, namespace: ClusterInfo.namespace)
        }
        let bundle = try ClusterInfo.authority(map, token: token, pins: pins)
        return try keepAuthority(bundle, isSuperseding: isSuperseded)
    }

    /// Whether user data that was written anew is to be believed instead of a CA bundle that leads to no API server.
    private func isSuperseded(_ authority: [UInt8]) async -> Bool {
        guard context.isToldAnew, (try? context.files.kind(tokenPath)) != .absent else { return false }
        do throws(APIError) {
            _ = try await context.client(context.security(.bundle(authority), .none)).raw("/version")
        } catch {
            // Where nobody answers there is nothing to go by.
            if case .transfer(let transfer) = error { return transfer.kind == .untrusted }
        }
        return false
    }

    /// Keeps a CA bundle.
    ///
    /// - Parameters:
    ///   - bundle: in PEM.
    ///   - isSuperseding: whether the one that was kept leads nowhere any more: the identity that came by it goes, too.
    /// - Returns: the bundle.
    /// - Throws: `AgentFailure` where it cannot be read or kept.
    private func keepAuthority(_ bundle: [UInt8], isSuperseding: Bool) throws(AgentFailure) -> [UInt8] {
        guard let facts = try? CertificateFacts.bundle(bundle, "CA bundle"), !facts.isEmpty else {
            throw AgentFailure(.invalidConfiguration, "certificateAuthority cannot be read")
        }
        try attempt("keep the CA") {
            if try context.files.read(AgentPaths.authority) != bundle {
                // First: who stops in between still sees that the other bundle leads nowhere.
                if isSuperseding { try context.files.remove(AgentPaths.identity) }
                try context.files.replace(AgentPaths.authority, bundle, mode: 0o600)
            }
        }
        return bundle
    }

    private func authenticate(_ authority: [UInt8]) async throws(AgentFailure) {
        let token = try token()
        let client = context.client(trust: authority, as: .token(token.secret))
        reporter.use(client)
        let response: [String: String]
        do {
            // Every user that is known may read this, and no one else.
            response = try await client.raw("/api").headers
        } catch {
            if case .transfer(let transfer) = error, transfer.kind == .untrusted, let minutes = await clockError() {
                throw AgentFailure(
                    .clock,
                    "the clock is off by \(minutes) min, so that the API server's certificate is not valid"
                )
            }
            throw AgentFailure(error, doing: "authenticate with the token \(token.id)")
        }
        if let minutes = ServerClock.error(response["date"], at: Clock.unixTime()) {
            throw AgentFailure(.clock, "the clock is off by \(minutes) min against the API server's")
        }
        await reporter.report(state)
    }

    /// How many minutes the clock is off, as somebody says who answers at the API server's address; only to explain.
    private func clockError() async -> Int? {
        let open = context.client(context.security(.unproven, .none))
        let headers: [String: String]?
        do throws(APIError) {
            headers = try await open.raw("/version").headers
        } catch {
            headers = nil
        }
        return ServerClock.error(headers?["date"], at: Clock.unixTime())
    }

    private func keptIdentity() -> AgentIdentity? {
        guard let pem = try? context.files.read(AgentPaths.identity) else { return nil }
        guard let identity = AgentIdentity(pem: pem, of: context.identity), identity.isValid(at: Clock.unixTime())
        else {
            context.logger.warning("the agent's certificate is no longer valid; a new token is needed to rejoin")
            return nil
        }
        return identity
    }

    private func requestIdentity(_ authority: [UInt8]) async throws(AgentFailure) -> AgentIdentity {
        let token = try token()
        let client = context.client(trust: authority, as: .token(token.secret))
        return try await IdentityRequest.agent(context, client)
    }

    private func apply(_ desired: SignedConfiguration, _ access: ClusterAccess) async throws(AgentFailure) {
        try KubeletCredentials.write(context, access)
        try await Generations(context, access).bring(desired)
    }

    private func awaitKubelet() async throws(AgentFailure) {
        try await until("the kubelet has its certificate and is healthy", within: .seconds(60)) {
            guard Program.exists(KubeletPaths.clientCertificate) else { return "it has no client certificate yet" }
            return await LocalHealth.kubelet(self.context.transport)
        }
    }

    private func awaitReady(_ client: KubernetesClient) async throws(AgentFailure) {
        let name = context.identity.machine
        try await until("the Node \(name) is Ready", within: .seconds(300)) {
            let node: Node?
            do throws(APIError) {
                node = try await client.find(Node.self, name)
            } catch {
                return "\(error)"
            }
            guard let node else { return "it does not exist" }
            if node.isReady { return nil }
            return node.condition("Ready")?.message ?? "it has no condition Ready"
        }
    }

    private var tokenPath: String { context.configuration.tokenFile ?? AgentConfiguration.tokenPath }

    /// The token from its file.
    private func token() throws(AgentFailure) -> BootstrapToken {
        let path = tokenPath
        guard let bytes = try attempt("read the token", { try context.files.read(path, limit: 4096) }) else {
            throw AgentFailure(.tokenMissing, "there is no bootstrap token in \(path), and no identity that is valid")
        }
        let text = String(decoding: bytes, as: UTF8.self).split { $0 == "\n" || $0 == "\r" || $0 == " " }.first ?? ""
        guard let token = BootstrapToken(text) else {
            throw AgentFailure(.invalidConfiguration, "\(path) holds no bootstrap token")
        }
        return token
    }

    /// Asks until nothing is missing.
    private func until(
        _ what: String,
        within patience: Nanoseconds,
        _ missing: @Sendable () async -> String?
    ) async throws(AgentFailure) {
        var reason: String? = ""
        let isDone: Bool? = try await askAgain(for: patience, pausingAtMost: .seconds(1)) {
            reason = await missing()
            return reason == nil ? true : nil
        }
        guard isDone != nil else { throw AgentFailure(.unhealthy, "waited in vain until \(what): \(reason ?? "")") }
    }
}
