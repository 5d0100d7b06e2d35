internal import KubernetesClient
internal import LinuxSystem
internal import TLSEngine

/// The certificate of the machine's tunnel client.
struct TunnelCertificate: Sendable {
    /// After this share of its life it is renewed.
    private static let share = 0.75

    private let context: AgentContext
    private let client: KubernetesClient

    init(_ context: AgentContext, _ client: KubernetesClient) { (self.context, self.client) = (context, client) }

    /// Whether one is kept whose time to be renewed has come.
    var isDue: Bool {
        guard let facts = kept()?.facts, !context.renewals.isRecent(AgentPaths.tunnel) else { return false }
        return Clock.unixTime() >= facts.moment(at: Self.share)
    }

    /// Certificate and key in PEM: what is kept while it is good or fresh, else a new one.
    ///
    /// - Parameter issuer: the key identifier of the CA that has to have issued it; `nil` for any.
    /// - Returns: certificate and key.
    /// - Throws: `AgentFailure` where none can be had and what is kept is no longer valid.
    func current(issuer: String?) async throws(AgentFailure) -> [UInt8] {
        let now = Clock.unixTime()
        let kept = kept()
        if let kept, kept.facts.isIssued(by: issuer) {
            let isGood = kept.facts.start <= now && now < kept.facts.moment(at: Self.share)
            if isGood || context.renewals.isRecent(AgentPaths.tunnel) { return kept.pem }
        }
        do throws(AgentFailure) {
            let pem = try await IdentityRequest(context, client, for: .tunnel(context.identity)).obtain()
            context.renewals.note(AgentPaths.tunnel)
            return pem
        } catch {
            // An old one that is still valid serves while a new one cannot be had.
            if let kept, now < kept.facts.expiry { return kept.pem }
            throw error
        }
    }

    private func kept() -> (pem: [UInt8], facts: CertificateFacts)? {
        guard let pem = try? context.files.read(AgentPaths.tunnel),
            let facts = try? CertificateFacts(pem: pem, "certificate")
        else { return nil }
        return (pem, facts)
    }
}
