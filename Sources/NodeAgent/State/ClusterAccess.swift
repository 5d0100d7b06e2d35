internal import ClusterModel
package import HTTPModel
package import KubernetesClient
internal import LinuxSystem
internal import Logging
internal import TLSEngine

/// How a machine that is part of its cluster speaks to it: as whom, and whom it believes.
///
/// Certificates change while it runs.
package final class ClusterAccess: Sendable {
    private struct Kept: Sendable {
        var authority: [UInt8]
        var identity: AgentIdentity
    }

    package let client: KubernetesClient
    private let kept: Guarded<Kept>

    package init(client: KubernetesClient, authority: [UInt8], identity: AgentIdentity) {
        self.client = client
        kept = Guarded(Kept(authority: authority, identity: identity))
    }

    /// The CA bundle in PEM that is in force.
    package var authority: [UInt8] { kept.withLock { $0.authority } }
    package var identity: AgentIdentity { kept.withLock { $0.identity } }
    package var credential: HTTPSecurity.Credential { identity.credential }

    /// Asks for another certificate, and is known by it from then on.
    func renew(_ context: AgentContext) async throws(AgentFailure) {
        let renewed = try await IdentityRequest.agent(context, client)
        change(context) { $0.identity = renewed }
        context.renewals.note(AgentPaths.identity)
        context.logger.notice(
            "certificate renewed",
            metadata: ["expiry": "\(KubernetesTime.text(seconds: renewed.facts.expiry))"]
        )
    }

    /// Believes another CA bundle, once the API server is seen to have a certificate of it.
    func adopt(_ authority: [UInt8], _ context: AgentContext) async throws {
        if authority != self.authority { try await prove(authority, context) }
        try believe(authority, context)
    }

    private func prove(_ authority: [UInt8], _ context: AgentContext) async throws(AgentFailure) {
        let field = "spec.certificateAuthority"
        guard let facts = try? CertificateFacts.bundle(authority, field), !facts.isEmpty else {
            throw AgentFailure(.badDesiredState, "\(field) holds no certificate that can be read")
        }
        do throws(APIError) {
            _ = try await client.with(context.security(.bundle(authority), credential)).raw("/version")
        } catch {
            // Whatever was answered: who answers has shown a certificate that is believed.
            guard case .transfer(let transfer) = error else { return }
            guard transfer.kind == .untrusted || transfer.kind == .tls else {
                throw AgentFailure(error, doing: "prove \(field)")
            }
            // Tried again, for it may be the API server that is to follow.
            throw AgentFailure(.badDesiredState, "\(field) does not lead to the API server: \(transfer.reason)")
        }
    }

    /// Believes this CA bundle from now on, also after a stop.
    func believe(_ authority: [UInt8], _ context: AgentContext) throws {
        if try context.files.read(AgentPaths.authority) != authority {
            try context.files.replace(AgentPaths.authority, authority, mode: 0o600)
        }
        if self.authority != authority { change(context) { $0.authority = authority } }
    }

    /// Changes what is kept, and how the client speaks, at once: a certificate and a bundle may change at the same time.
    private func change(_ context: AgentContext, _ body: (inout Kept) -> Void) {
        kept.withLock { kept in
            body(&kept)
            client.use(context.security(.bundle(kept.authority), kept.identity.credential))
        }
    }
}
