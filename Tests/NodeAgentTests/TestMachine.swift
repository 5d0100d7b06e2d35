import ClusterModel
import FoundationEssentials
import Glibc
import HTTPModel
import KubernetesClient
import LinuxSystem
import Logging
import NodeAgent
import NodePlan
import TLSEngine
import TendrilCore
import TestSupport

/// An API server that holds Secrets, and is reached by some CA bundles.
final class SecretServer: HTTPTransport {
    struct State: Sendable {
        var isReachable = true
        /// The CA bundles that lead to it.
        var authorities: Set<[UInt8]> = []
        /// What is under the key `k` of each Secret.
        var secrets: [String: String] = [:]
        /// Asked before all else.
        var answer: (@Sendable (HTTPRequest) -> HTTPResponse?)?
    }

    let state = Guarded(State())

    func send(_ request: HTTPRequest, _ security: HTTPSecurity) async throws(TransferError) -> HTTPResponse {
        let state = state.withLock { $0 }
        if let response = state.answer?(request) { return response }
        guard state.isReachable else { throw TransferError(.connect, url: request.url, reason: "nobody is there") }
        guard case .bundle(let bundle) = security.trust, state.authorities.contains(bundle) else {
            throw TransferError(.untrusted, url: request.url, reason: "unknown CA")
        }
        let name = String(request.url.split(separator: "/").last ?? "")
        guard let text = state.secrets[name] else { return HTTPResponse(status: name == "version" ? 200 : 404) }
        let secret = KubernetesSecret(ObjectMetadata(name: name), data: ["k": Array(text.utf8)])
        return HTTPResponse(status: 200, body: (try? CanonicalJSON.bytes(secret)) ?? [])
    }

    func stream(
        _ request: HTTPRequest,
        _ security: HTTPSecurity,
        receive: @escaping @Sendable (UnsafeRawBufferPointer) -> Bool
    ) async throws(TransferError) -> HTTPResponse {
        throw TransferError(.connect, url: request.url, reason: "nothing is watched here")
    }
}

/// Units that all run.
struct RunningUnits: UnitControl {
    func observe(_ units: [String]) throws -> [String: UnitReport] {
        let report = UnitReport(load: "loaded", active: "active", sub: "running", file: "enabled")
        return Dictionary(uniqueKeysWithValues: units.map { ($0, report) })
    }

    func reload() throws {}
    func perform(_ verb: UnitVerb, _ unit: String) throws {}
    func isAnswering() -> Bool { true }
}

/// Units that all run but for those that are said not to, and remember what was done to them.
final class RecordedUnits: UnitControl {
    let done = Guarded<[String]>([])
    let failed = Guarded<Set<String>>([])
    /// systemd does not answer.
    let isHung = Guarded(false)

    func observe(_ units: [String]) throws -> [String: UnitReport] {
        if isHung.withLock({ $0 }) { throw AgentFailure(.systemd, "systemd does not answer") }
        var reports = try RunningUnits().observe(units)
        for unit in failed.withLock({ $0 }) where reports[unit] != nil {
            reports[unit] = UnitReport(load: "loaded", active: "failed", sub: "failed", file: "enabled")
        }
        return reports
    }

    func reload() throws {}
    func perform(_ verb: UnitVerb, _ unit: String) throws { done.withLock { $0.append("\(verb.rawValue) \(unit)") } }
    func isAnswering() -> Bool { true }
}

/// A machine that has joined, with files of its own below a directory.
final class TestMachine {
    private let directory: TestDirectory
    let server = SecretServer()
    let context: AgentContext
    /// Signs what the machine shows.
    private let issuer: RequestAuthority
    /// The CA bundle that is believed at first.
    let authority: [UInt8]
    private(set) var access: ClusterAccess
    private(set) var generations: Generations

    init(units: any UnitControl = RunningUnits()) throws {
        directory = try TestDirectory()
        var configuration = AgentConfiguration(
            cluster: "shoot--a--b",
            pool: "worker",
            apiServers: ["https://api"],
            configurationKeys: [Data(repeating: 1, count: 32).base64EncodedString()]
        )
        configuration.machineName = "w1"
        let ca = try CertificateIssuer(name: "first", days: 1)
        authority = try ca.authorityPEM()
        configuration.certificateAuthority = String(decoding: authority, as: UTF8.self)
        context = try AgentContext(
            configuration,
            transport: server,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            root: directory.path,
            units: units
        )
        issuer = try RequestAuthority(certificate: authority, key: try ca.authorityKeyPEM())
        access = try Self.access(context, issuer, authority)
        generations = Generations(context, access)
        server.state.withLock { $0.authorities = [authority] }
        try write(AgentPaths.authority, authority)
    }

    private static func access(
        _ context: AgentContext,
        _ issuer: RequestAuthority,
        _ authority: [UInt8]
    ) throws -> ClusterAccess {
        let subject = SubjectName(user: context.identity.user, groups: context.identity.groups)
        guard let identity = AgentIdentity(pem: try certificate(issuer, subject), of: context.identity) else {
            throw SystemError("make an identity", code: EINVAL)
        }
        let client = context.client(trust: authority, as: identity.credential)
        return ClusterAccess(client: client, authority: authority, identity: identity)
    }

    private static func certificate(
        _ issuer: RequestAuthority,
        _ subject: SubjectName,
        lifetime: UInt64 = 86_400
    ) throws -> [UInt8] {
        let key = try KeyPair()
        return try issuer.issue(key, subject: subject, usages: [.client], lifetime: lifetime) + (try key.pem().copied)
    }

    /// The agent starts anew, with a CA bundle that stands in its file.
    func restart(believing authority: [UInt8]) throws {
        try write(AgentPaths.authority, authority)
        access = try Self.access(context, issuer, authority)
        generations = Generations(context, access)
    }

    /// The agent starts anew, with other user data.
    func told(_ change: (inout AgentConfiguration) -> Void) throws -> AgentContext {
        var configuration = context.configuration
        change(&configuration)
        return try AgentContext(
            configuration,
            transport: server,
            logger: context.logger,
            root: directory.path,
            units: context.units
        )
    }

    /// A fresh certificate of the tunnel's client, where the agent keeps it.
    func renewTunnel(lifetime: UInt64 = 86_400) throws -> String {
        let pem = try Self.certificate(issuer, SubjectName(user: "w1"), lifetime: lifetime)
        try write(AgentPaths.tunnel, pem)
        return String(decoding: pem, as: UTF8.self)
    }

    /// A generation as it is after it was proven.
    static func generation(_ number: Int, _ spec: NodeConfiguration.Spec) throws -> SignedConfiguration {
        let document = try CanonicalJSON.bytes(NodeConfiguration(pool: "worker", generation: number, spec: spec))
        return SignedConfiguration(
            name: "node-\(number)",
            document: document,
            checksum: Digest.hex(document),
            generation: number
        )
    }

    /// A machine's Node, as the API server answers.
    static func node(conditions: [Condition]) -> [UInt8] {
        var document: JSONValue = ["metadata": ["name": "w1"]]
        if let value = try? CanonicalJSON.value(conditions) {
            document = document.merging(["status": ["conditions": value]])
        }
        return (try? CanonicalJSON.bytes(document)) ?? []
    }

    /// Brings a generation into force.
    func bring(_ configuration: SignedConfiguration) async throws {
        _ = try generations.accept(configuration)
        _ = try await generations.apply(configuration) { _ in true }
        try generations.promote(configuration)
    }

    func write(_ path: String, _ content: [UInt8]) throws { try context.files.replace(path, content, mode: 0o600) }
    func write(_ path: String, _ text: String) throws { try write(path, Array(text.utf8)) }
    func link(_ path: String, to target: String) { symlink(target, directory.path + path) }
    func text(_ path: String) throws -> String? {
        try context.files.read(path).map { String(decoding: $0, as: UTF8.self) }
    }
}
