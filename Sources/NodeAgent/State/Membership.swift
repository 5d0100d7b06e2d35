internal import ClusterModel
package import HTTPModel
package import KubernetesClient
internal import LinuxSystem
internal import Logging
internal import TLSEngine

/// What a machine has that is part of its cluster.
///
/// Certificates change while it runs.
package final class Membership: Sendable {
    package let client: KubernetesClient
    package let authority: [UInt8]
    private let kept: Guarded<AgentIdentity>

    init(client: KubernetesClient, authority: [UInt8], identity: AgentIdentity) {
        (self.client, self.authority) = (client, authority)
        kept = Guarded(identity)
    }

    package var identity: AgentIdentity {
        get { kept.withLock { $0 } }
        set { kept.withLock { $0 = newValue } }
    }

    /// Asks for another certificate, and is known by it from then on.
    func renew(_ context: AgentContext) async throws(AgentFailure) {
        let renewed = try await IdentityRequest.agent(context, client)
        identity = renewed
        let authority = (try? context.files.read(AgentPaths.authority)) ?? authority
        client.use(context.security(.bundle(authority), renewed.credential))
        context.logger.notice(
            "certificate renewed",
            metadata: ["expiry": "\(KubernetesTime.text(seconds: renewed.facts.expiry))"]
        )
    }

    package var credential: HTTPSecurity.Credential { identity.credential }
}
