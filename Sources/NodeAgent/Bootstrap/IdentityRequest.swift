internal import ClusterModel
internal import FoundationEssentials
internal import HTTPTransfer
internal import KubernetesClient
internal import LinuxSystem
internal import TLSEngine
internal import TendrilCore

/// Obtains the agent's certificate by a CertificateSigningRequest.
///
/// The key is kept before it is asked for, so that a stop in between asks for the same certificate again.
struct IdentityRequest: Sendable {
    private let context: AgentContext
    private let client: KubernetesClient
    private let patience: Nanoseconds

    init(_ context: AgentContext, _ client: KubernetesClient, patience: Nanoseconds = .seconds(60)) {
        (self.context, self.client, self.patience) = (context, client, patience)
    }

    /// Asks for a certificate, waits for it and keeps it.
    func obtain() async throws(AgentFailure) -> AgentIdentity {
        let key = try requestedKey()
        let name = "tendril-agent-\(context.identity.machine)-\(Hex.text(key.digest.prefix(6)))"
        try await ask(name, key)
        let certificate = try await certificate(name)
        let secret: Secret
        do { secret = try key.pem() } catch { throw AgentFailure(error, doing: "read the key") }
        let pem = certificate + secret.withBytes { span in span.withUnsafeBytes { Array($0) } }
        guard let identity = AgentIdentity(pem: pem, of: context.identity) else {
            throw AgentFailure(.denied, "the certificate that came is not the one that was asked for")
        }
        do {
            try context.files.replace(AgentPaths.identity, pem, mode: 0o600)
            try context.files.remove(AgentPaths.requestedKey)
            try context.files.syncDirectory(of: AgentPaths.requestedKey)
        } catch {
            throw AgentFailure(error, doing: "keep the identity")
        }
        return identity
    }

    private func requestedKey() throws(AgentFailure) -> KeyPair {
        do {
            if let pem = try context.files.read(AgentPaths.requestedKey), let key = try? KeyPair(pem: Secret(pem)) {
                return key
            }
            let key = try KeyPair()
            let pem = try key.pem().withBytes { span in span.withUnsafeBytes { Array($0) } }
            try context.files.replace(AgentPaths.requestedKey, pem, mode: 0o600)
            return key
        } catch {
            throw AgentFailure(error, doing: "make a key")
        }
    }

    private func ask(_ name: String, _ key: KeyPair) async throws(AgentFailure) {
        let identity = context.identity
        do {
            let request = try CertificateRequest.make(
                subject: SubjectName(user: identity.user, groups: identity.groups),
                names: AlternativeNames(uris: [identity.agentURI]),
                key: key
            )
            let spec = CertificateSigningRequest.Spec(
                request: request,
                signerName: Signer.agent.rawValue,
                usages: Signer.agent.usages.sorted()
            )
            try await client.create(CertificateSigningRequest(ObjectMetadata(name: name), spec: spec))
        } catch let error as APIError where error.isConflict {
            // It was asked for before a stop.
        } catch {
            throw AgentFailure(error, doing: "ask for the agent's certificate")
        }
    }

    private func certificate(_ name: String) async throws(AgentFailure) -> [UInt8] {
        let deadline = Clock.now() + patience
        var pause: UInt64 = 50_000_000
        while Clock.now() < deadline {
            let request: CertificateSigningRequest
            do {
                request = try await client.get(CertificateSigningRequest.self, name)
            } catch {
                // The token is void as soon as it was used: who holds it learns nothing more.
                throw AgentFailure(error, doing: "fetch the agent's certificate")
            }
            if let denial = request.condition("Denied") ?? request.condition("Failed") {
                try? context.files.remove(AgentPaths.requestedKey)
                throw AgentFailure(
                    .denied,
                    "the certificate was denied: \(denial.message ?? denial.reason ?? "no reason given")"
                )
            }
            if let certificate = request.status?.certificate { return Array(certificate) }
            do { try await Task.sleep(nanoseconds: pause) } catch { break }
            pause = min(pause * 3 / 2, 2_000_000_000)
        }
        throw AgentFailure(.undecided, "nobody has approved the request \(name); is the approver running?")
    }
}
