import ClusterModel
import FoundationEssentials
import HTTPModel
import LinuxSystem
import NodeAgent
import NodePlan
import TLSEngine
import TendrilCore
import Testing

@Suite("A machine that rejoins")
struct RejoinTests {
    @Test("A token brings a node back whatever is published, and is gone then")
    func rejoins() async throws {
        let machine = try TestMachine()
        let applied = try TestMachine.generation(1, .init())
        try await machine.bring(applied)
        try machine.write(AgentPaths.identity, machine.access.identity.certificate)
        try machine.write(AgentConfiguration.tokenPath, "abcdef.0123456789abcdef")
        // Nothing that is published can be had, and least of all taken.
        let bootstrap = try Bootstrap(machine.context)
        let access = try await bootstrap.run()
        #expect(bootstrap.state.phase == .done && access.authority == machine.authority)
        #expect(try machine.text(AgentConfiguration.tokenPath) == nil)
        #expect(try machine.text(KubeletPaths.bootstrapKubeconfig) != nil)
        #expect(try machine.generations.applied() == applied)
    }

    private static let token = "abcdef.0123456789abcdef"

    /// A node whose API server shows the certificate of another CA than it believes, and which was given a token.
    private static func left(behind authority: [UInt8]) async throws -> TestMachine {
        let machine = try TestMachine()
        try await machine.bring(try TestMachine.generation(1, .init()))
        try machine.write(AgentPaths.identity, machine.access.identity.certificate)
        try machine.write(AgentConfiguration.tokenPath, token)
        machine.server.state.withLock { $0.authorities = [authority] }
        return machine
    }

    private static func authority(_ name: String) throws -> [UInt8] {
        try CertificateIssuer(name: name, days: 1).authorityPEM()
    }

    /// How far it comes with a CA bundle in its user data: with a token it comes to where it shows that.
    private static func phase(_ machine: TestMachine, told bundle: [UInt8]) async throws -> BootstrapPhase {
        let context = try machine.told { $0.certificateAuthority = String(decoding: bundle, as: UTF8.self) }
        let bootstrap = try Bootstrap(context)
        _ = try? await bootstrap.run()
        return bootstrap.state.phase
    }

    @Test("New user data is believed instead of a CA that was exchanged while the machine was off")
    func exchanged() async throws {
        let new = try Self.authority("second")
        let machine = try await Self.left(behind: new)
        let phase = try await Self.phase(machine, told: new)
        #expect(phase == .authenticate)
        #expect(try machine.context.files.read(AgentPaths.authority) == new)
        #expect(try machine.text(AgentPaths.identity) == nil, "the former CA's cluster issued it")
        #expect(try machine.text(AgentConfiguration.tokenPath) != nil)
    }

    @Test("A CA that a generation brought stays where it leads to the API server, nobody answers, or nothing is new")
    func kept() async throws {
        let new = try Self.authority("second")
        let leading = try await Self.left(behind: new)
        let first = leading.authority
        leading.server.state.withLock { _ = $0.authorities.insert(first) }
        let silent = try await Self.left(behind: new)
        silent.server.state.withLock { $0.isReachable = false }
        for machine in [leading, silent] {
            let phase = try await Self.phase(machine, told: new)
            #expect(phase == .done)
            #expect(try machine.context.files.read(AgentPaths.authority) == machine.authority)
        }
        // As of the day on which it joined: another CA has come since, and this one may be worth nothing any more.
        let old = try await Self.left(behind: new)
        let brought = try Self.authority("third")
        try old.restart(believing: brought)
        let joined = old.authority
        old.server.state.withLock { $0.authorities = [joined] }
        let phase = try await Self.phase(old, told: joined)
        #expect(phase == .done)
        #expect(try old.context.files.read(AgentPaths.authority) == brought)
    }

    @Test("A machine that never was a node asks again where its CA is none that the user data pins")
    func pins() async throws {
        for isPinned in [true, false] {
            let machine = try TestMachine()
            try machine.write(AgentConfiguration.tokenPath, Self.token)
            let digest = try CertificateFacts(pem: machine.authority, "CA").keyDigest
            let pin = "sha256:" + (isPinned ? Hex.text(digest) : String(repeating: "0", count: 64))
            let context = try machine.told { ($0.certificateAuthority, $0.certificateAuthorityPins) = (nil, [pin]) }
            let bootstrap = try Bootstrap(context)
            _ = try? await bootstrap.run()
            #expect(bootstrap.state.phase == (isPinned ? .authenticate : .trust))
        }
    }

    /// A machine that has an identity and was never a node: its generation names another CA than the user data.
    private struct FirstJoin {
        let machine: TestMachine
        let context: AgentContext
        let brought: [UInt8]

        init(isPinned: Bool) throws {
            machine = try TestMachine()
            brought = try RejoinTests.authority("second")
            let key = try SigningKey()
            let believed = Data(try key.verifyingKey().bytes).base64EncodedString()
            let pin = "sha256:" + Hex.text(try CertificateFacts(pem: machine.authority, "CA").keyDigest)
            context = try machine.told { configuration in
                configuration.configurationKeys = [believed]
                guard isPinned else { return }
                (configuration.certificateAuthority, configuration.certificateAuthorityPins) = (nil, [pin])
            }
            try machine.write(AgentPaths.identity, machine.access.identity.certificate)
            try machine.write(AgentConfiguration.tokenPath, RejoinTests.token)
            try publish(by: key)
        }

        private func publish(by key: SigningKey) throws {
            var spec = NodeConfiguration.Spec()
            spec.certificateAuthority = String(decoding: brought, as: UTF8.self)
            spec.files = [.init(path: "/etc/app/config", content: .init(inline: "new"))]
            let generation = try TestMachine.generation(1, spec)
            let document = Array(generation.document)
            let signature = Data(try key.sign(document)).base64EncodedString()
            let secret = KubernetesSecret(
                ObjectMetadata(name: generation.name),
                data: [TendrilAPI.documentKey: document, TendrilAPI.signatureKey: Array(signature.utf8)]
            )
            let name = TendrilAPI.pointer(pool: "worker")
            let pointer = ConfigMap(ObjectMetadata(name: name), data: [TendrilAPI.pointerKey: generation.name])
            let answers = [
                "/configmaps/\(name)": try CanonicalJSON.bytes(pointer),
                "/secrets/\(generation.name)": try CanonicalJSON.bytes(secret),
            ]
            machine.server.state.withLock { state in
                state.answer = { request in
                    answers.first { request.url.hasSuffix($0.key) }.map { HTTPResponse(status: 200, body: $0.value) }
                }
            }
        }

        /// An attempt to join; the phase in which it fails, or is stopped waiting for the kubelet.
        func attempt() async throws -> BootstrapPhase {
            // How far an earlier one came is not to be taken for how far this one comes.
            try context.files.remove(AgentPaths.progress)
            let bootstrap = try Bootstrap(context)
            let joining = Task { try await bootstrap.run() }
            while bootstrap.state.phase != .kubelet, bootstrap.state.attempts == 0 {
                try await Task.sleep(nanoseconds: 1_000_000)
            }
            joining.cancel()
            _ = await joining.result
            return bootstrap.state.phase
        }
    }

    @Test(
        "A first join that was stopped or failed goes on with its identity, whatever CA its generation brought",
        .timeLimit(.minutes(5)),
        arguments: [false, true]
    )
    func stopped(isPinned: Bool) async throws {
        let join = try FirstJoin(isPinned: isPinned)
        let machine = join.machine
        let identity = try machine.text(AgentPaths.identity)
        let brought = join.brought
        machine.server.state.withLock { _ = $0.authorities.insert(brought) }
        #expect(try await join.attempt() == .kubelet)
        // From now on that of the user data leads nowhere.
        machine.server.state.withLock { $0.authorities = [brought] }
        let published = machine.server.state.withLock { $0.answer }
        for hasToken in [true, false] {
            // A stop after the token was removed, and before the generation was seen to be good.
            if !hasToken { try machine.context.files.remove(AgentConfiguration.tokenPath) }
            // Nothing is wanted any more: it fails.
            machine.server.state.withLock { $0.answer = nil }
            #expect(try await join.attempt() == .desiredState)
            machine.server.state.withLock { $0.answer = published }
            #expect(try await join.attempt() == .kubelet)
            #expect(try machine.text(AgentPaths.identity) == identity && identity != nil)
            #expect(try machine.context.files.read(AgentPaths.authority) == brought)
        }
        #expect(try machine.text("/etc/app/config") == "new" && machine.generations.applied() == nil)
    }

    @Test("The keys of new user data are believed beside those of the generation in force, until the next one")
    func keys() async throws {
        func key(_ byte: UInt8) -> String { Data(repeating: byte, count: 32).base64EncodedString() }
        let machine = try TestMachine()
        var spec = NodeConfiguration.Spec()
        spec.configurationKeys = [key(2)]
        try await machine.bring(try TestMachine.generation(1, spec))
        func believed(_ context: AgentContext) throws -> [UInt8?] { try context.verifyingKeys().map(\.bytes.first) }
        #expect(try believed(machine.context) == [2])
        let context = try machine.told { $0.configurationKeys = [key(3)] }
        #expect(try believed(context) == [2, 3])
        let generations = Generations(context, machine.access)
        // One that was on its way already when the user data was written comes into force, with a stop in between.
        let early = try TestMachine.generation(2, spec)
        _ = try machine.generations.accept(early)
        let pending = try #require(try machine.text(AgentPaths.pending))
        try generations.promote(early)
        #expect(try believed(context) == [2, 3])
        try machine.write(AgentPaths.pending, pending)
        try generations.tidy()
        #expect(try believed(context) == [2, 3])
        let next = try TestMachine.generation(3, spec)
        _ = try generations.accept(next)
        try generations.promote(next)
        #expect(try believed(context) == [2])
    }
}
