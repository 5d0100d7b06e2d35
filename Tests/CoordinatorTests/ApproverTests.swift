import ClusterModel
import Coordinator
import FoundationEssentials
import HTTPModel
import KubernetesClient
import LinuxSystem
import Logging
import TLSEngine
import TendrilCore
import Testing

/// An approver that waits for milliseconds only.
private func hastyApprover(_ api: MemoryAPI) throws -> Approver {
    let issuer = try CertificateIssuer(name: "agents", days: 1)
    return Approver(
        client: api.client,
        cluster: "shoot--a--b",
        authority: try RequestAuthority(certificate: try issuer.authorityPEM(), key: try issuer.authorityKeyPEM()),
        nodeNetworks: [],
        logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
        grace: .milliseconds(10),
        pauses: Backoff(start: .milliseconds(1), limit: .milliseconds(2))
    )
}

@Suite("How long a token lives")
struct ApproverTests {
    private let api = MemoryAPI()

    private func put(_ phase: BootstrapPhase) throws {
        var bootstrap = NodeBootstrap(name: "w1", pool: "worker")
        bootstrap.status = .init(phase: phase)
        try api.put(bootstrap)
    }

    /// Judges a request whose certificate was issued so many seconds ago, while `body` runs.
    private func judge(
        allowsRejoin: Bool,
        age: UInt64 = 0,
        _ body: @escaping @Sendable () async throws -> Void
    ) async throws {
        let (token, secret) = try TokenManifest.make(
            pool: "worker",
            machine: "w1",
            namePrefix: "",
            lifetime: 3600,
            allowsRejoin: allowsRejoin
        )
        try api.put(secret)
        let approver = try hastyApprover(api)
        let spec = CertificateSigningRequest.Spec(request: [], signerName: Signer.agent.rawValue, usages: [])
        var request = CertificateSigningRequest(ObjectMetadata(name: "tendril-agent-w1"), spec: spec)
        request.spec.username = BootstrapToken.userPrefix + token.prefix(6)
        var approval = Condition("Approved", status: "True")
        approval.lastUpdateTime = KubernetesTime.text(seconds: Clock.unixTime() - age)
        request.status = .init(conditions: [approval], certificate: Data([1]))
        try await withThrowingTaskGroup(of: Void.self) { [request] group in
            group.addTask { await approver.consider(request) }
            try await body()
            group.cancelAll()
        }
    }

    private var isGone: Bool { api.paths("/api/v1/namespaces/kube-system/secrets/").isEmpty }

    private func isGone(within limit: Nanoseconds) async -> Bool {
        let deadline = Clock.now() + limit
        while Clock.now() < deadline {
            if isGone { return true }
            try? await Task.sleep(.milliseconds(10))
        }
        return false
    }

    /// Waits until the approver has looked whether the machine goes on; whether the token is there then.
    private func isKept() async -> Bool {
        let deadline = Clock.now() + .seconds(240)
        while Clock.now() < deadline, !isGone {
            if !api.bodies("GET /apis/tendril.dev/v1alpha1/nodebootstraps/w1").isEmpty { return !isGone }
            try? await Task.sleep(.milliseconds(10))
        }
        return false
    }

    @Test("Until the machine was seen with its certificate, for it may be stopped before it has that")
    func seen() async throws {
        try put(.identity)
        try await judge(allowsRejoin: false) {
            #expect(await isKept())
            try put(.apply)
            #expect(await isGone(within: .seconds(240)))
        }
    }

    @Test("Not for ever, whoever begins to wait anew", arguments: [(300, false), (601, true)] as [(UInt64, Bool)])
    func limit(age: UInt64, isOver: Bool) async throws {
        try await judge(allowsRejoin: false, age: age) {
            if isOver { #expect(await isGone(within: .seconds(240))) } else { #expect(await isKept()) }
        }
        #expect(isGone == isOver, "one that ends leaves it to the next")
    }

    @Test("One that allows to rejoin lives for seconds, for it would do so for others, too")
    func rejoin() async throws {
        try put(.identity)
        try await judge(allowsRejoin: true) { #expect(await isGone(within: .seconds(240))) }
    }
}

@Suite("A request that could not be judged at once")
struct PersistentApproverTests {
    private static let name = "tendril-agent-w1"
    private static let path = "/apis/certificates.k8s.io/v1/certificatesigningrequests/\(name)"

    private static func request() -> CertificateSigningRequest {
        let spec = CertificateSigningRequest.Spec(request: [], signerName: Signer.agent.rawValue, usages: [])
        return CertificateSigningRequest(ObjectMetadata(name: name), spec: spec)
    }

    /// An API server that refuses to decide for so many times, and to tell what the request is by now, each other time.
    private func refusingAPI(_ refusals: Int) -> MemoryAPI {
        let asked = Guarded((decisions: 0, looks: 0))
        return MemoryAPI { request in
            switch (request.method, request.url) {
            case (.get, "https://api\(Self.path)"):
                let number = asked.withLock { counts in
                    counts.looks += 1
                    return counts.looks
                }
                return number % 2 == 0 ? HTTPResponse(status: 403) : nil
            case (.put, "https://api\(Self.path)/approval"):
                let number = asked.withLock { counts in
                    counts.decisions += 1
                    return counts.decisions
                }
                return HTTPResponse(status: number <= refusals ? 403 : 200, body: request.body)
            default: return nil
            }
        }
    }

    @Test("Is judged again until it is decided, for nobody tells of it a second time", .timeLimit(.minutes(1)))
    func again() async throws {
        let api = refusingAPI(12)
        try api.put(Self.request())
        try await hastyApprover(api).consider(Self.request())
        let decisions = api.bodies("PUT \(Self.path)/approval")
        #expect(decisions.count == 13)
        #expect(decisions.last?["status"]?["conditions"]?.items.first?["reason"]?.text == "Unreadable")
    }

    @Test("But not once it is gone, or somebody has refused it", .timeLimit(.minutes(1)), arguments: [false, true])
    func over(isThere: Bool) async throws {
        let api = refusingAPI(.max)
        if isThere {
            var refused = Self.request()
            refused.status = .init(conditions: [Condition("Denied", status: "True")])
            try api.put(refused)
        }
        try await hastyApprover(api).consider(Self.request())
        #expect(api.bodies("PUT \(Self.path)/approval").count == 1)
    }
}
