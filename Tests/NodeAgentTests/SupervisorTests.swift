import ClusterModel
import FoundationEssentials
import HTTPModel
import KubernetesClient
import LinuxSystem
import NodeAgent
import NodePlan
import TLSEngine
import TendrilCore
import Testing

@Suite("A node in steady state")
struct SupervisorTests {
    /// What the API server answers for the Node, and what it was told.
    struct API: Sendable {
        var node = HTTPResponse(status: 404)
        /// Statuses of the answers to patches, before all others succeed.
        var patches: [Int] = []
        var told: [String] = []
        /// What is answered at addresses with these endings.
        var answers: [String: HTTPResponse] = [:]
        var asked: Set<String> = []
        /// What was told by the machine's NodeBootstrap.
        var bootstrap: [String] = []
        /// Nobody answers, but the kubelet.
        var isSilent = false
        /// With the next look at the kubelet systemd falls silent.
        var hangsSystemd = false
    }

    private let units: RecordedUnits
    private let machine: TestMachine
    private let supervisor: Supervisor
    private let api = Guarded(API())

    init() throws {
        units = RecordedUnits()
        machine = try TestMachine(units: units)
        supervisor = Supervisor(machine.context, machine.access, try Bootstrap(machine.context))
        machine.server.state.withLock { [api, units] state in
            state.answer = { request in
                api.withLock { api -> HTTPResponse? in
                    api.asked.insert(request.url)
                    if api.hangsSystemd, request.url.hasSuffix("/healthz") { units.isHung.withLock { $0 = true } }
                    if api.isSilent, !request.url.hasSuffix("/healthz") { return nil }
                    if request.url.contains("/secrets/") { return nil }
                    if request.url.hasSuffix("/nodebootstraps/w1/status") {
                        api.bootstrap.append(String(decoding: request.body, as: UTF8.self))
                    }
                    if let answer = api.answers.first(where: { request.url.hasSuffix($0.key) }) { return answer.value }
                    if request.url.hasSuffix("/nodes/w1"), request.method == .get { return api.node }
                    guard request.url.hasSuffix("/nodes/w1/status") else { return HTTPResponse(status: 200) }
                    let status = api.patches.isEmpty ? 200 : api.patches.removeFirst()
                    if status == 200 { api.told.append(String(decoding: request.body, as: UTF8.self)) }
                    return HTTPResponse(status: status, body: TestMachine.node(conditions: []))
                }
            }
        }
    }

    private func answer(_ conditions: [Condition]) {
        let body = TestMachine.node(conditions: conditions)
        api.withLock { $0.node = HTTPResponse(status: 200, body: body) }
    }

    private var status: AgentStatus? {
        get throws {
            try machine.context.files.read(AgentPaths.status).map {
                try JSONDecoder().decode(AgentStatus.self, from: Data($0))
            }
        }
    }

    @Test("The end of a failure is told again until the Node says so")
    func told() async throws {
        let failure = AgentFailure(.unit, "a.service does not start")
        await supervisor.note(failure)
        let bad = Condition("TendrilAgentReady", status: "False", reason: "ReconcileFailed", message: failure.message)
        #expect(api.withLock { $0.told.count } == 1)
        await supervisor.note(failure)
        #expect(api.withLock { $0.told.count } == 1, "what the Node says is not said again")
        api.withLock { ($0.patches, $0.told) = ([500], []) }
        await supervisor.clearFailure()
        #expect(api.withLock { $0.told.isEmpty })
        answer([bad])
        await supervisor.lookAtNode()
        let told = api.withLock { $0.told }
        #expect(told.count == 1 && told[0].contains("AsWanted"))
        // Somebody has put an old state back.
        await supervisor.lookAtNode()
        #expect(api.withLock { $0.told.count } == 2)
        let message = "the node is as it is wanted"
        answer([Condition("TendrilAgentReady", status: "True", reason: "AsWanted", message: message)])
        await supervisor.lookAtNode()
        #expect(api.withLock { $0.told.count } == 2)
    }

    @Test("Before anything was tried nothing is told")
    func unjudged() async throws {
        answer([Condition("TendrilAgentReady", status: "False", reason: "ReconcileFailed", message: "of before")])
        await supervisor.lookAtNode()
        #expect(api.withLock { $0.told.isEmpty })
    }

    @Test("A kubelet whose Node stays away is restarted, once in half an hour; nobody's answer says nothing of it")
    func lostNode() async throws {
        var spec = NodeConfiguration.Spec()
        spec.kubelet = .init(version: "1.20.2")
        try await machine.bring(try TestMachine.generation(1, spec))
        func restarts(from first: UInt64, looks: UInt64) async -> Int {
            units.done.withLock { $0 = [] }
            for look in first..<(first + looks) {
                await supervisor.lookAtNode(at: MonotonicTime(nanoseconds: look * 60_000_000_000))
            }
            return units.done.withLock { $0.count { $0 == "restart kubelet.service" } }
        }
        api.withLock { $0.node = HTTPResponse(status: 403) }
        #expect(await restarts(from: 0, looks: 10) == 0)
        #expect(await supervisor.isLeaving(), "what is not known is left alone")
        api.withLock { $0.node = HTTPResponse(status: 404) }
        #expect(await restarts(from: 10, looks: 2) == 0)
        #expect(await restarts(from: 12, looks: 1) == 1)
        #expect(try status?.cause == .unhealthy && status?.error == "there is no Node w1")
        #expect(await restarts(from: 13, looks: 29) == 0)
        #expect(await restarts(from: 42, looks: 3) == 1)
        #expect(await !supervisor.isLeaving(), "nobody waits for its pods")
        answer([])
        #expect(await restarts(from: 45, looks: 1) == 0)
        #expect(try status?.cause == nil)
    }

    /// Looks at the services every twenty seconds of a time that is only said, and counts the kubelet's restarts.
    private func restarts(looks: UInt64) async -> Int {
        units.done.withLock { $0 = [] }
        for look in 0..<looks {
            await supervisor.lookAtServices(at: MonotonicTime(nanoseconds: look * 20_000_000_000))
        }
        return units.done.withLock { $0.count { $0 == "restart kubelet.service" } }
    }

    private static func generation(_ number: Int, _ text: String, issuer: String? = nil) throws -> SignedConfiguration {
        var spec = NodeConfiguration.Spec()
        spec.kubelet = .init(version: "1.20.2")
        spec.files = [.init(path: "/etc/app/config", content: .init(inline: text))]
        spec.certificateIssuers = issuer.map { .init(agent: $0, kubelet: "00", kubeletServing: "00") }
        return try TestMachine.generation(number, spec)
    }

    @Test("A kubelet that hangs is restarted while a generation that has begun waits for another machine")
    func watchedMeanwhile() async throws {
        let issuer = Hex.text(machine.access.identity.facts.issuerKeyID)
        try await machine.bring(try Self.generation(1, "old"))
        let pending = try Self.generation(2, "new", issuer: issuer)
        _ = try machine.generations.accept(pending)
        _ = try await machine.generations.apply(pending) { _ in true }
        #expect(try !machine.generations.isUntouched())
        let name = TendrilAPI.restartLease(0)
        let renewed = KubernetesTime.microText(seconds: Clock.unixTime())
        let spec = Lease.Spec(holderIdentity: "w2", leaseDurationSeconds: 900, renewTime: renewed)
        let lease = try CanonicalJSON.bytes(Lease(ObjectMetadata(name: name), spec: spec))
        api.withLock { api in
            api.answers = ["/leases/\(name)": HTTPResponse(status: 200, body: lease)]
            api.answers[":10248/healthz"] = HTTPResponse(status: 500)
        }
        let failure = await #expect(throws: AgentFailure.self) { try await supervisor.reconcile() }
        #expect(failure?.cause == .waiting && !supervisor.isChanging, "\(failure?.message ?? "none")")
        units.failed.withLock { $0 = ["kubelet.service"] }
        #expect(await restarts(looks: 6) == 1)
        let told = api.withLock { $0.told }
        #expect(told.contains { $0.contains("SystemdUnitsReady") && $0.contains("kubelet.service is failed") })
    }

    @Test("While a generation is judged its judge decides alone", .timeLimit(.minutes(5)))
    func judged() async throws {
        try await machine.bring(try Self.generation(1, "old"))
        _ = try machine.generations.accept(try Self.generation(2, "new"))
        api.withLock { $0.answers = [":10248/healthz": HTTPResponse(status: 500)] }
        let judging = Task { [supervisor] in try await supervisor.reconcile() }
        // By its judge, for nobody else has looked yet.
        while !api.withLock({ $0.asked.contains("http://127.0.0.1:10248/healthz") }) {
            try await Task.sleep(nanoseconds: 1_000_000)
        }
        #expect(await restarts(looks: 6) == 0)
        judging.cancel()
        await #expect(throws: AgentFailure.self) { try await judging.value }
        #expect(!supervisor.isChanging)
        #expect(await restarts(looks: 6) == 1)
    }

    @Test("On a node that is being emptied files follow that no unit waits for, beside one that waits")
    func followedAlone() async throws {
        func file(_ name: String) -> NodeConfiguration.File {
            .init(path: "/etc/app/\(name)", content: .init(secretRef: .init(name: "s", key: "k")))
        }
        var spec = NodeConfiguration.Spec()
        spec.files = [file("alone"), file("waited")]
        spec.units = [.init(name: "app.service", restartOn: ["/etc/app/waited"])]
        spec.tunnelCertificate = .init(path: "/etc/app/tunnel")
        machine.server.state.withLock { $0.secrets = ["s": "1"] }
        _ = try machine.renewTunnel()
        try await machine.bring(try TestMachine.generation(1, spec))
        machine.server.state.withLock { $0.secrets = ["s": "2"] }
        let tunnel = try machine.renewTunnel()
        let node: JSONValue = ["metadata": ["name": "w1"], "spec": ["unschedulable": true]]
        let body = try CanonicalJSON.bytes(node)
        api.withLock { $0.node = HTTPResponse(status: 200, body: body) }
        let failure = await #expect(throws: AgentFailure.self) { try await supervisor.reconcile() }
        #expect(failure?.cause == .waiting, "\(failure?.message ?? "none")")
        #expect(try machine.text("/etc/app/alone") == "2" && machine.text("/etc/app/tunnel") == tunnel)
        #expect(try machine.text("/etc/app/waited") == "1")
    }

    private func silence(_ isSilent: Bool) {
        api.withLock { $0.isSilent = isSilent }
        machine.server.state.withLock { $0.isReachable = !isSilent }
    }

    /// One that needs a Secret, and waits a second until all is well.
    private static func generation(following text: String, _ number: Int) throws -> SignedConfiguration {
        var spec = NodeConfiguration.Spec()
        let key = NodeConfiguration.Content(secretRef: .init(name: "s", key: "k"))
        spec.files = [
            .init(path: "/etc/app/config", content: .init(inline: text)), .init(path: "/etc/app/key", content: key),
        ]
        spec.health = .init(holdSeconds: 0, timeoutSeconds: 1)
        return try TestMachine.generation(number, spec)
    }

    @Test("A generation that cuts the network is taken back also where the agent stopped before it was judged")
    func cutOff() async throws {
        machine.server.state.withLock { $0.secrets = ["s": "1"] }
        try await machine.bring(try Self.generation(following: "old", 1))
        let pending = try Self.generation(following: "cut", 2)
        _ = try machine.generations.accept(pending)
        silence(true)
        let early = await #expect(throws: AgentFailure.self) { try await supervisor.reconcile() }
        #expect(early?.cause == .noRoute && early?.message.contains("taken back") == false, "nothing has begun")
        #expect(try machine.generations.pending() == pending)
        silence(false)
        _ = try await machine.generations.apply(pending) { _ in true }
        #expect(try machine.text("/etc/app/config") == "cut")
        silence(true)
        let failure = await #expect(throws: AgentFailure.self) { try await supervisor.reconcile() }
        let message = failure?.message ?? "none"
        #expect(message.hasPrefix("generation 2 was taken back: no API server answers"), "\(message)")
        #expect(try machine.text("/etc/app/config") == "old" && machine.generations.pending() == nil)
        #expect(try machine.text("/etc/app/key") == "1")
    }

    @Test("What could not be judged for want of an answer is tried once more, and no more than that")
    func openRejection() async throws {
        machine.server.state.withLock { $0.secrets = ["s": "1"] }
        try await machine.bring(try Self.generation(following: "old", 1))
        let pending = try Self.generation(following: "cut", 2)
        for isFirst in [true, false] {
            #expect(try machine.generations.accept(pending))
            _ = try await machine.generations.apply(pending) { _ in true }
            silence(true)
            let failure = await #expect(throws: AgentFailure.self) { try await supervisor.reconcile() }
            #expect(failure?.message.hasPrefix("generation 2 was taken back") == true)
            #expect(try machine.generations.rejections().map { $0.isOpen == true } == [isFirst])
            #expect(try machine.text("/etc/app/config") == "old" && machine.generations.pending() == nil)
            silence(false)
        }
        let last = #expect(throws: AgentFailure.self) { try machine.generations.accept(pending) }
        #expect(last?.cause == .badDesiredState)
    }

    @Test("A second try that is well comes into force, also over a stop")
    func secondTry() async throws {
        machine.server.state.withLock { $0.secrets = ["s": "1"] }
        try await machine.bring(try Self.generation(following: "old", 1))
        let pending = try Self.generation(following: "new", 2)
        let rejection: JSONValue = [
            "checksum": .string(pending.checksum), "generation": 2, "reason": "no API server answers", "isOpen": true,
        ]
        _ = try machine.generations.accept(pending)
        try machine.write(AgentPaths.rejected, try CanonicalJSON.text([rejection]))
        // It was being taken back when the agent stopped.
        let failure = await #expect(throws: AgentFailure.self) { try await supervisor.reconcile() }
        #expect(failure?.message.hasPrefix("generation 2 was taken back") == true)
        #expect(try machine.generations.rejections().map { $0.isOpen == true } == [true])
        #expect(try machine.generations.accept(pending))
        try machine.restart(believing: machine.authority)
        try await supervisor.reconcile()
        #expect(try machine.generations.applied() == pending && machine.text("/etc/app/config") == "new")
    }

    /// One with a kubelet, which waits so many seconds until all is well.
    private static func hasty(_ number: Int, _ text: String, timeout: Int = 1) throws -> SignedConfiguration {
        var spec = NodeConfiguration.Spec()
        spec.kubelet = .init(version: "1.20.2")
        spec.files = [.init(path: "/etc/app/config", content: .init(inline: text))]
        spec.health = .init(holdSeconds: 0, timeoutSeconds: timeout)
        return try TestMachine.generation(number, spec)
    }

    @Test("A judge whom no API server answers takes a generation back, and leaves it open whether it was bad")
    func silentAPI() async throws {
        try await machine.bring(try Self.hasty(1, "old"))
        _ = try machine.generations.accept(try Self.hasty(2, "new"))
        silence(true)
        let failure = await #expect(throws: AgentFailure.self) { try await supervisor.reconcile() }
        #expect(failure?.message.hasPrefix("generation 2 was taken back") == true, "\(failure?.message ?? "none")")
        #expect(try machine.generations.rejections().map { $0.isOpen == true } == [true])
        silence(false)
        // There is no Node: that is seen.
        _ = try machine.generations.accept(try Self.hasty(3, "new"))
        await #expect(throws: AgentFailure.self) { try await supervisor.reconcile() }
        #expect(try machine.generations.rejections().map { $0.isOpen == true } == [true, false])
    }

    @Test("A systemd that falls silent while a generation is judged is waited for")
    func silentSystemd() async throws {
        try await machine.bring(try Self.hasty(1, "old"))
        _ = try machine.generations.accept(try Self.hasty(2, "new", timeout: 300))
        api.withLock { $0.hangsSystemd = true }
        let failure = await #expect(throws: AgentFailure.self) { try await supervisor.reconcile() }
        #expect(failure?.cause == .systemd, "\(failure?.message ?? "none")")
        #expect(try machine.generations.rejections().isEmpty && machine.generations.pending()?.generation == 2)
        api.withLock { $0.hangsSystemd = false }
        units.isHung.withLock { $0 = false }
        answer([Condition("Ready", status: "True")])
        try await supervisor.reconcile()
        #expect(try machine.generations.applied()?.generation == 2 && machine.text("/etc/app/config") == "new")
    }

    @Test("What is in force is put back while nobody answers, and what could not be asked for is told")
    func keptAlone() async throws {
        machine.server.state.withLock { $0.secrets = ["s": "1"] }
        try await machine.bring(try Self.generation(following: "old", 1))
        try machine.write("/etc/app/config", "tampered")
        machine.server.state.withLock { $0.secrets = ["s": "2"] }
        silence(true)
        let failure = await #expect(throws: AgentFailure.self) { try await supervisor.reconcile() }
        #expect(failure?.cause == .noRoute, "\(failure?.message ?? "none")")
        #expect(try machine.text("/etc/app/config") == "old" && machine.text("/etc/app/key") == "1")
        silence(false)
        try await supervisor.reconcile()
        #expect(try machine.text("/etc/app/key") == "2")
    }

    @Test("What is in force is put back while nobody answers, also where another waits that has changed nothing yet")
    func keptMeanwhile() async throws {
        machine.server.state.withLock { $0.secrets = ["s": "1"] }
        try await machine.bring(try Self.generation(following: "old", 1))
        let pending = try Self.generation(following: "new", 2)
        _ = try machine.generations.accept(pending)
        try machine.write("/etc/app/config", "tampered")
        silence(true)
        let failure = await #expect(throws: AgentFailure.self) { try await supervisor.reconcile() }
        #expect(failure?.cause == .noRoute, "\(failure?.message ?? "none")")
        #expect(try machine.text("/etc/app/config") == "old" && machine.text("/etc/app/key") == "1")
        #expect(try machine.generations.pending() == pending && machine.generations.isUntouched())
    }

    @Test("Why a generation was taken back is told also where bringing the last one back took several attempts")
    func reasonKept() async throws {
        try await machine.bring(try Self.generation(1, "old"))
        let pending = try Self.generation(2, "new")
        _ = try machine.generations.accept(pending)
        _ = try await machine.generations.apply(pending) { _ in true }
        let rejection: JSONValue = [
            "checksum": .string(pending.checksum), "generation": 2, "reason": "a.service does not start",
        ]
        try machine.write(AgentPaths.rejected, try CanonicalJSON.text([rejection]))
        let failure = await #expect(throws: AgentFailure.self) { try await supervisor.reconcile() }
        #expect(failure?.message == "generation 2 was taken back: a.service does not start")
        #expect(try machine.generations.rejections().map(\.reason) == ["a.service does not start"])
        #expect(try machine.text("/etc/app/config") == "old" && machine.generations.pending() == nil)
    }

    @Test("An agent that starts on a node tells its version, and no failure of before", .timeLimit(.minutes(5)))
    func startTold() async throws {
        try await machine.bring(try TestMachine.generation(7, .init()))
        try machine.write(AgentPaths.identity, machine.access.identity.certificate)
        let bootstrap = try Bootstrap(machine.context)
        let access = try await bootstrap.run()
        let again = Supervisor(machine.context, access, bootstrap)
        #expect(api.withLock { $0.bootstrap.isEmpty })
        let running = Task { await again.run() }
        while api.withLock({ $0.bootstrap.isEmpty }) { try await Task.sleep(nanoseconds: 1_000_000) }
        running.cancel()
        await running.value
        let told = api.withLock { $0.bootstrap }
        #expect(told.count == 1 && told[0].contains(#""appliedGeneration":7"#) && told[0].contains(#""error":null"#))
        #expect(told[0].contains(#""agentVersion":"\#(Version.text)""#))
    }
}
