package import HTTPTransfer
package import KubernetesClient
internal import LinuxSystem

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

    package var credential: HTTPSecurity.Credential { identity.credential }
}
