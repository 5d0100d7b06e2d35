internal import ClusterModel
internal import FoundationEssentials
internal import HTTPModel
internal import KubernetesClient
internal import LinuxSystem
internal import TLSEngine
internal import TendrilCore

/// Obtains a certificate by a CertificateSigningRequest.
///
/// The key is kept before it is asked for, so that a stop in between asks for the same certificate again.
struct IdentityRequest: Sendable {
    private let context: AgentContext
    private let client: KubernetesClient
    private let purpose: CertificatePurpose
    private let patience: Nanoseconds

    init(
        _ context: AgentContext,
        _ client: KubernetesClient,
        for purpose: CertificatePurpose,
        patience: Nanoseconds = .seconds(60)
    ) {
        (self.context, self.client, self.purpose, self.patience) = (context, client, purpose, patience)
    }

    /// Asks for the agent's own certificate, waits for it and keeps it.
    static func agent(_ context: AgentContext, _ client: KubernetesClient) async throws(AgentFailure) -> AgentIdentity {
        let pem = try await IdentityRequest(context, client, for: .agent(context.identity)).obtain()
        guard let identity = AgentIdentity(pem: pem, of: context.identity) else {
            throw AgentFailure(.denied, "the certificate that came is not this machine's")
        }
        return identity
    }

    /// Asks for the certificate, waits for it and keeps it; certificate and key in PEM.
    func obtain() async throws(AgentFailure) -> [UInt8] {
        let key = try requestedKey()
        let name = "\(purpose.requestName)-\(Hex.text(key.digest.prefix(6)))"
        try await ask(name, key)
        let certificate = try await certificate(name)
        guard let facts = try? CertificateFacts(pem: certificate, "certificate"), facts.keyDigest == key.digest,
            facts.subject == purpose.subject
        else {
            throw AgentFailure(.denied, "the certificate that came is not the one that was asked for")
        }
        return try attempt("keep \(purpose.name)") {
            let secret = try key.pem()
            let pem = certificate + secret.copied
            try context.files.replace(purpose.path, pem, mode: 0o600)
            try context.files.remove(purpose.requestedKey)
            try context.files.syncDirectory(of: purpose.requestedKey)
            return pem
        }
    }

    private func requestedKey() throws(AgentFailure) -> KeyPair {
        try attempt("make a key") {
            if let pem = try context.files.read(purpose.requestedKey), let key = try? KeyPair(pem: Secret(pem)) {
                return key
            }
            let key = try KeyPair()
            let pem = try key.pem().copied
            try context.files.replace(purpose.requestedKey, pem, mode: 0o600)
            return key
        }
    }

    private func ask(_ name: String, _ key: KeyPair) async throws(AgentFailure) {
        do {
            let request = try CertificateRequest.make(
                subject: purpose.subject,
                names: AlternativeNames(uris: [purpose.uri]),
                key: key
            )
            let spec = CertificateSigningRequest.Spec(
                request: request,
                signerName: purpose.signer.rawValue,
                usages: purpose.signer.usages.sorted()
            )
            try await client.create(CertificateSigningRequest(ObjectMetadata(name: name), spec: spec))
        } catch let error as APIError where error.isConflict {
            // It was asked for before a stop.
        } catch {
            throw AgentFailure(error, doing: "ask for \(purpose.name)")
        }
    }

    private func certificate(_ name: String) async throws(AgentFailure) -> [UInt8] {
        let issued = try await askAgain(for: patience, pausingAtMost: .seconds(2)) { () async throws(AgentFailure) in
            try await outcome(of: name)
        }
        guard let issued else {
            throw AgentFailure(.undecided, "nobody has approved the request \(name); is the approver running?")
        }
        return issued
    }

    /// The certificate that came of a request; `nil` where there is none yet.
    private func outcome(of name: String) async throws(AgentFailure) -> [UInt8]? {
        // The token is void as soon as it was used: who holds it learns nothing more.
        let request = try await attempting("fetch \(purpose.name)") {
            try await client.get(CertificateSigningRequest.self, name)
        }
        if let denial = request.condition("Denied") ?? request.condition("Failed") {
            try? context.files.remove(purpose.requestedKey)
            throw AgentFailure(
                .denied,
                "the certificate was denied: \(denial.message ?? denial.reason ?? "no reason given")"
            )
        }
        return request.status?.certificate.map { Array($0) }
    }
}
