internal import ClusterModel
internal import KubernetesClient
internal import LinuxSystem
internal import Logging
internal import TendrilCore

/// The tokens with which machines ask for their first certificate.
struct JoinTokens: Sendable {
    /// How long a token lives at most after its certificate was issued, in seconds.
    private static let longestJoin: UInt64 = 600

    let client: KubernetesClient
    let logger: Logger
    /// How long a token lives at least after its certificate was issued.
    let grace: Nanoseconds

    /// What the token is good for with which this user asks; `nil` where it asks with none, or that is gone.
    func find(_ user: String) async throws(APIError) -> TokenGrant? {
        guard user.hasPrefix(BootstrapToken.userPrefix) else { return nil }
        let name = BootstrapToken.secretName(id: String(user.dropFirst(BootstrapToken.userPrefix.count)))
        return try await client.find(KubernetesSecret.self, name, namespace: TendrilAPI.namespace).flatMap(
            TokenGrant.init
        )
    }

    /// Makes a token void that one machine's certificate was issued for: one token, one certificate.
    ///
    /// The machine has some seconds to fetch it. One that is stopped meanwhile fetches it when it comes again, and has no
    /// other way; a token that allows to rejoin would get another certificate for somebody else meanwhile.
    func retire(of request: CertificateSigningRequest) async {
        let user = request.spec.username ?? ""
        guard request.spec.signerName == Signer.agent.rawValue, user.hasPrefix(BootstrapToken.userPrefix) else {
            return
        }
        do throws(APIError) {
            guard let token = try await find(user), let machine = token.machine else { return }
            let issued = request.condition("Approved")?.lastUpdateTime.flatMap(KubernetesTime.seconds)
            let limit = (issued ?? Clock.unixTime()) + Self.longestJoin
            try? await Task.sleep(grace)
            if !token.allowsRejoin { await awaitMachine(machine, until: limit) }
            // Whoever judges next begins again.
            if Task.isCancelled { return }
            let name = BootstrapToken.secretName(id: token.id)
            try await client.delete(KubernetesSecret.self, name, namespace: TendrilAPI.namespace)
            logger.info("token used up", metadata: ["token": "\(token.id)"])
        } catch {
            logger.warning("cannot make a token void", metadata: ["reason": "\(error)"])
        }
    }

    /// Waits until a machine was seen with its certificate, at most until a moment in seconds since 1970.
    private func awaitMachine(_ machine: String, until limit: UInt64) async {
        while Clock.unixTime() < limit, !Task.isCancelled {
            let phase = (try? await client.find(NodeBootstrap.self, machine))??.status?.phase
            // What comes later it says as itself.
            if let phase, ![.preflight, .trust, .authenticate, .identity].contains(phase) { return }
            try? await Task.sleep(.seconds(2))
        }
    }
}
