import ClusterModel
import HTTPModel
import KubernetesClient
import LinuxSystem
import NodeAgent
import NodePlan
import TLSEngine
import TendrilCore
import Testing

@Suite("Generations on their way")
struct GenerationsTests {
    private let machine: TestMachine
    private var generations: Generations { machine.generations }

    init() throws { machine = try TestMachine() }

    private static func file(_ path: String, secret: String) -> NodeConfiguration.File {
        .init(path: path, content: .init(secretRef: .init(name: secret, key: "k")))
    }

    private static func file(_ path: String, _ text: String) -> NodeConfiguration.File {
        .init(path: path, content: .init(inline: text))
    }

    private static func generation(
        _ number: Int,
        authority: [UInt8]? = nil,
        _ files: [NodeConfiguration.File],
        tunnel: String? = nil
    ) throws -> SignedConfiguration {
        var spec = NodeConfiguration.Spec()
        spec.files = files
        spec.units = [.init(name: "app.service", restartOn: ["/etc/app/config", "/etc/app/waited"])]
        spec.certificateAuthority = authority.map { String(decoding: $0, as: UTF8.self) }
        spec.tunnelCertificate = tunnel.map { .init(path: $0) }
        return try TestMachine.generation(number, spec)
    }

    private func cause(_ body: () async throws(AgentFailure) -> Void) async -> AgentFailure.Cause? {
        do throws(AgentFailure) {
            try await body()
            return nil
        } catch {
            return error.cause
        }
    }

    // MARK: - Taking back

    @Test("What was in force comes back where nobody answers: what cannot be fetched stays as it is, or away")
    func restoreAlone() async throws {
        machine.server.state.withLock { $0.secrets = ["one": "1", "two": "2"] }
        let secrets = [Self.file("/etc/app/one", secret: "one"), Self.file("/etc/app/two", secret: "two")]
        _ = try machine.renewTunnel()
        let old = try Self.generation(1, [Self.file("/etc/app/config", "good")] + secrets, tunnel: "/etc/app/tunnel")
        try await machine.bring(old)
        let new = try Self.generation(2, [Self.file("/etc/app/config", "bad")] + secrets, tunnel: "/etc/app/tunnel")
        _ = try generations.accept(new)
        _ = try await generations.apply(new) { _ in true }
        #expect(try machine.text("/etc/app/config") == "bad")
        machine.server.state.withLock { $0.isReachable = false }
        for path in ["/etc/app/two", "/etc/app/tunnel", AgentPaths.tunnel] { try machine.context.files.remove(path) }
        let refusal = await cause { () async throws(AgentFailure) in _ = try await generations.apply(old) { _ in true }
        }
        #expect(refusal == .noRoute)
        try await generations.restore(old)
        #expect(try machine.text("/etc/app/config") == "good")
        #expect(try machine.text("/etc/app/one") == "1")
        #expect(try machine.text("/etc/app/two") == nil && machine.text("/etc/app/tunnel") == nil)
        machine.server.state.withLock { $0.isReachable = true }
        _ = try machine.renewTunnel()
        _ = try await generations.apply(old) { _ in true }
        #expect(try machine.text("/etc/app/two") == "2" && machine.text("/etc/app/tunnel") != nil)
    }

    @Test("A generation that replaces another on its way is taken back to what was before both, also its CA bundle")
    func restoreAuthority() async throws {
        try await machine.bring(try Self.generation(1, []))
        let bundles = [try Self.authority("second"), try Self.authority("third")]
        machine.server.state.withLock { $0.authorities.formUnion(bundles) }
        for (index, bundle) in bundles.enumerated() {
            let next = try Self.generation(index + 2, authority: bundle, [])
            _ = try generations.accept(next)
            _ = try await generations.apply(next) { _ in true }
            #expect(machine.access.authority == bundle)
        }
        machine.server.state.withLock { $0.isReachable = false }
        let applied = try #require(try generations.applied())
        try await generations.restore(applied)
        #expect(machine.access.authority == machine.authority)
        #expect(try machine.context.files.read(AgentPaths.authority) == machine.authority)
        machine.server.state.withLock { $0 = .init(isReachable: true, authorities: [machine.authority]) }
        _ = try await machine.access.client.raw("/version")
    }

    @Test("A state of an older agent is read")
    func olderState() throws {
        let configuration = try Self.generation(2, [])
        let text = String(decoding: try CanonicalJSON.bytes(configuration), as: UTF8.self)
        try machine.write(AgentPaths.pending, "{\"configuration\":\(text)}")
        #expect(try generations.pending() == configuration)
        #expect(try !generations.isUntouched())
        #expect(try generations.accept(try Self.generation(3, [])))
        #expect(try generations.pending()?.generation == 3 && !generations.isUntouched())
    }

    @Test("What an earlier release took is put back and brought back, also where it has a taint twice")
    func repeatedTaint() async throws {
        let taint = Node.Taint(key: "a", effect: "NoSchedule")
        var spec = NodeConfiguration.Spec()
        spec.kubelet = .init(version: "1.20.2")
        spec.kubelet?.taints = [taint, Node.Taint(key: "a", value: "b", effect: "NoSchedule")]
        spec.files = [Self.file("/etc/app/config", "good")]
        let old = try TestMachine.generation(1, spec)
        try machine.write(AgentPaths.applied, try CanonicalJSON.bytes(old))
        _ = try await generations.apply(old) { _ in true }
        #expect(try machine.text("/etc/app/config") == "good")
        let new = try Self.generation(2, [Self.file("/etc/app/config", "bad")])
        _ = try generations.accept(new)
        _ = try await generations.apply(new) { _ in true }
        #expect(try machine.text("/etc/app/config") == "bad")
        try await generations.restore(old)
        #expect(try machine.text("/etc/app/config") == "good")
        let reader = ConfigurationReader(keys: [], pool: "worker")
        #expect(try reader.read(Array(old.document), old.name).spec.kubelet?.taints == [taint])
    }

    @Test("A stop in the middle of putting a generation into force leaves it in force, and nothing on its way")
    func stoppedPromotion() async throws {
        try await machine.bring(try Self.generation(1, []))
        let new = try Self.generation(2, [Self.file("/etc/app/config", "x")])
        _ = try generations.accept(new)
        _ = try await generations.apply(new) { _ in true }
        let pending = try #require(try machine.text(AgentPaths.pending))
        try generations.promote(new)
        try machine.write(AgentPaths.pending, pending)
        #expect(try generations.pending() == nil && generations.isUntouched())
        #expect(try !generations.accept(new))
        try generations.tidy()
        #expect(try machine.text(AgentPaths.pending) == nil && generations.applied() == new)
        _ = try generations.accept(try Self.generation(3, []))
        try generations.tidy()
        #expect(try generations.pending()?.generation == 3, "another one stays")
    }

    // MARK: - Another CA

    private static func authority(_ name: String) throws -> [UInt8] {
        try CertificateIssuer(name: name, days: 1).authorityPEM()
    }

    @Test("A CA bundle that does not lead to the API server changes nothing, and a better one may follow")
    func wrongAuthority() async throws {
        let right = try Self.authority("second")
        machine.server.state.withLock { _ = $0.authorities.insert(right) }
        let unreadable = Array("-----BEGIN CERTIFICATE-----\nAAAA\n".utf8)
        for (index, wrong) in [try Self.authority("wrong"), unreadable].enumerated() {
            let generation = try Self.generation(index + 1, authority: wrong, [Self.file("/etc/app/x", "x")])
            _ = try generations.accept(generation)
            do {
                _ = try await generations.apply(generation) { _ in true }
                Issue.record("it was adopted")
            } catch {
                #expect(error.cause == .badDesiredState && error.message.contains("spec.certificateAuthority"))
            }
            #expect(machine.access.authority == machine.authority)
            #expect(try machine.context.files.read(AgentPaths.authority) == machine.authority)
            #expect(try machine.text("/etc/app/x") == nil)
            _ = try await machine.access.client.raw("/version")
        }
        try await machine.bring(try Self.generation(3, authority: right, []))
        #expect(machine.access.authority == right)
        #expect(try machine.context.files.read(AgentPaths.authority) == right)
        // As one that has replaced the first for good.
        machine.server.state.withLock { $0.authorities = [right] }
        _ = try await machine.access.client.raw("/version")
    }

    @Test("A CA bundle waits for the leave that its generation waits for, and for somebody who answers")
    func unprovenAuthority() async throws {
        let right = try Self.authority("second")
        machine.server.state.withLock { _ = $0.authorities.insert(right) }
        let generation = try Self.generation(1, authority: right, [Self.file("/etc/app/config", "x")])
        _ = try generations.accept(generation)
        #expect(try await generations.apply(generation) { _ in false } == .deferred(units: ["app.service"]))
        #expect(machine.access.authority == machine.authority)
        #expect(try generations.isUntouched())
        machine.server.state.withLock { $0.isReachable = false }
        let silence = await cause { () async throws(AgentFailure) in
            _ = try await generations.apply(generation) { _ in true }
        }
        #expect(silence == .noRoute)
        #expect(machine.access.authority == machine.authority)
        #expect(try generations.isUntouched())
        machine.server.state.withLock { $0.isReachable = true }
        _ = try await generations.apply(generation) { _ in true }
        #expect(machine.access.authority == right)
        #expect(try !generations.isUntouched())
    }

    @Test("A CA bundle is adopted where nothing else is to be done")
    func onlyAuthority() async throws {
        let right = try Self.authority("second")
        machine.server.state.withLock { _ = $0.authorities.insert(right) }
        let generation = try Self.generation(1, authority: right, [])
        try await machine.bring(generation)
        try machine.restart(believing: machine.authority)
        #expect(try await machine.generations.apply(generation) { _ in true } == .nothingToDo)
        #expect(machine.access.authority == right)
        #expect(try machine.context.files.read(AgentPaths.authority) == right)
    }

    @Test("The kubelet is given the CA bundle that is in force, not that of the agent's start")
    func kubeletAuthority() async throws {
        let right = try Self.authority("second")
        machine.server.state.withLock { _ = $0.authorities.insert(right) }
        try await machine.bring(try Self.generation(1, authority: right, []))
        try KubeletCredentials.write(machine.context, machine.access)
        #expect(try machine.context.files.read(KubeletPaths.authority) == right)
    }

    // MARK: - Renewing

    @Test("A certificate that is due as soon as it has come, by a clock that is off, is not renewed in every pass")
    func renewals() async throws {
        let asked = Guarded(0)
        machine.server.state.withLock { state in
            state.answer = { request in
                if request.url.contains("/certificatesigningrequests") { asked.withLock { $0 += 1 } }
                return nil
            }
        }
        _ = try machine.renewTunnel(lifetime: 60)
        let generation = try Self.generation(1, [], tunnel: "/etc/app/tunnel")
        try await machine.bring(generation)
        let before = asked.withLock { $0 }
        #expect(before > 0, "it is due")
        machine.context.renewals.note(AgentPaths.tunnel)
        _ = try await generations.apply(generation) { _ in true }
        #expect(asked.withLock { $0 } == before)
    }

    @Test("A certificate is not renewed within an hour of the last time")
    func renewalPause() {
        let renewals = Renewals()
        func time(_ seconds: UInt64) -> MonotonicTime { MonotonicTime(nanoseconds: seconds * 1_000_000_000) }
        renewals.note("/a", at: time(100))
        #expect(renewals.isRecent("/a", at: time(100)) && renewals.isRecent("/a", at: time(3699)))
        #expect(!renewals.isRecent("/a", at: time(3700)) && !renewals.isRecent("/b", at: time(100)))
    }

    // MARK: - Waiting

    @Test("While a generation waits, files follow that it wants all the same and no unit waits for")
    func following() async throws {
        func files(config: String, moved: String, mode: String) -> [NodeConfiguration.File] {
            let (one, waited) = (Self.file("/etc/app/one", secret: "one"), Self.file("/etc/app/waited", secret: "one"))
            var changed = Self.file("/etc/app/changed", secret: "one")
            changed.mode = mode
            let moved = Self.file("/etc/app/moved", secret: moved)
            let away = Self.file("/etc/app/away", secret: "one")
            return [Self.file("/etc/app/config", config), one, waited, moved, changed, away]
        }
        machine.server.state.withLock { $0.secrets = ["one": "1", "two": "2"] }
        let tunnel = "/etc/app/tunnel"
        let first = try machine.renewTunnel()
        let old = files(config: "old", moved: "one", mode: "0600")
        try await machine.bring(try Self.generation(1, old, tunnel: tunnel))
        #expect(try machine.text(tunnel) == first)
        #expect(await generations.follow().isEmpty, "nothing is on its way")

        let new = files(config: "new", moved: "two", mode: "0640")
        let pending = try Self.generation(2, new, tunnel: tunnel)
        _ = try generations.accept(pending)
        #expect(try await generations.apply(pending) { _ in false } == .deferred(units: ["app.service"]))
        machine.server.state.withLock { $0.secrets["one"] = "1, renewed" }
        let second = try machine.renewTunnel()
        try machine.context.files.remove("/etc/app/away")
        #expect(await generations.follow().sorted() == ["/etc/app/one", tunnel])
        #expect(try machine.text("/etc/app/one") == "1, renewed" && machine.text(tunnel) == second)
        #expect(try machine.context.files.kind("/etc/app/one") == .file(mode: 0o600))
        for path in ["waited", "moved", "changed"] { #expect(try machine.text("/etc/app/\(path)") == "1", "\(path)") }
        #expect(try machine.text("/etc/app/away") == nil && machine.text("/etc/app/config") == "old")
        #expect(await generations.follow().isEmpty, "all is as it is to be")

        _ = try await generations.apply(pending) { _ in true }
        #expect(await generations.follow().isEmpty, "what was carried out is not undone")
        #expect(try machine.text("/etc/app/moved") == "2")
    }
}
