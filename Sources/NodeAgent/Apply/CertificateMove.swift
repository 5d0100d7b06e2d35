internal import HTTPModel
internal import LinuxSystem
internal import Logging
internal import NodePlan
internal import TLSEngine
internal import TendrilCore

/// Has a machine's certificates issued by the CAs that are to issue them, once others are to.
struct CertificateMove: Sendable {
    /// How long the kubelet may take to get its new certificates.
    private static let patience = Nanoseconds.seconds(60)

    private let context: AgentContext
    private let access: ClusterAccess
    private let issuers: NodeConfiguration.CertificateIssuers

    init(_ context: AgentContext, _ access: ClusterAccess, to issuers: NodeConfiguration.CertificateIssuers) {
        (self.context, self.access, self.issuers) = (context, access, issuers)
    }

    /// Replaces what others issued.
    ///
    /// - Parameters:
    ///   - hasTunnel: whether a tunnel's client is to have a certificate.
    ///   - hasKubelet: whether a kubelet runs.
    ///   - permit: asked for leave before the kubelet is restarted; pods go on without it.
    /// - Throws: `AgentFailure`, also where those who issue certificates have not moved yet: it is to be tried again.
    func run(hasTunnel: Bool, hasKubelet: Bool, permit: () async -> Bool) async throws(AgentFailure) {
        if !access.identity.facts.isIssued(by: issuers.agent) {
            try await access.renew(context)
            try require(access.identity.facts, issuers.agent, "the agent's certificate")
        }
        if hasTunnel {
            try require(facts(AgentPaths.tunnel), issuers.agent, "the tunnel's certificate")
        }
        if hasKubelet { try await moveKubelet(permit) }
    }

    private func moveKubelet(_ permit: () async -> Bool) async throws(AgentFailure) {
        let wanted = [
            KubeletPaths.clientCertificate: issuers.kubelet, KubeletPaths.servingCertificate: issuers.kubeletServing,
        ]
        // One that is missing was removed by an attempt that did not come to its end; a kubelet may serve without one of its own.
        let client = facts(KubeletPaths.clientCertificate)
        let serving = facts(KubeletPaths.servingCertificate)
        let isMoved = client?.isIssued(by: issuers.kubelet) ?? false
        guard !isMoved || serving?.isIssued(by: issuers.kubeletServing) == false else { return }
        guard await permit() else {
            throw AgentFailure(.waiting, "the kubelet's new certificates wait for leave to restart it")
        }
        context.logger.notice("the kubelet asks for new certificates")
        try await attempting("have the kubelet's certificates renewed") {
            // Without what it had, the kubelet asks as at its first start: as the agent. The client's goes first: without it
            // an attempt that is interrupted is made again.
            for path in [KubeletPaths.clientCertificate, KubeletPaths.servingCertificate, KubeletPaths.kubeconfig] {
                try context.files.remove(path)
            }
            try await context.restart(KubeletPaths.unit)
        }
        let deadline = Clock.now() + Self.patience
        let late = serving == nil ? [KubeletPaths.clientCertificate] : wanted.keys.sorted()
        while let missing = late.first(where: { facts($0) == nil }) {
            guard Clock.now() < deadline, !Task.isCancelled else {
                throw AgentFailure(.unhealthy, "the kubelet got no \(missing)")
            }
            try? await Task.sleep(.milliseconds(250))
        }
        for path in late { try require(facts(path), wanted[path] ?? "", path) }
    }

    /// What a certificate says that may be a link to a file (the kubelet's are).
    private func facts(_ path: String) -> CertificateFacts? {
        guard let pem = try? DurableFile.read(path) else { return nil }
        return try? CertificateFacts(pem: pem, path)
    }

    private func require(_ facts: CertificateFacts?, _ issuer: String, _ name: String) throws(AgentFailure) {
        guard let facts, facts.isIssued(by: issuer) else {
            throw AgentFailure(.undecided, "\(name) is not issued by the CA that is to issue it")
        }
    }
}

extension CertificateFacts {
    /// Whether the key with this identifier, in hexadecimal digits, signed it; `nil` stands for any.
    func isIssued(by issuer: String?) -> Bool { issuer.map { $0 == Hex.text(issuerKeyID) } ?? true }
}
