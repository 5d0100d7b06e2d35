internal import ClusterModel
internal import KubernetesClient
internal import LinuxSystem
internal import Logging
internal import NodePlan

/// The contents of files that are not in a document: those of Secrets, and the tunnel's certificate.
struct ForeignContents: Sendable {
    private let context: AgentContext
    private let client: KubernetesClient

    init(_ context: AgentContext, _ client: KubernetesClient) { (self.context, self.client) = (context, client) }

    /// Fetches the contents of all of a document's files that come from elsewhere, by path.
    ///
    /// - Parameters:
    ///   - spec: what is wanted.
    ///   - issuer: the key identifier of the CA that has to have issued the tunnel's certificate; `nil` for any.
    /// - Returns: one for each of `spec.followedFiles`.
    /// - Throws: `AgentFailure` where one of them cannot be had.
    func fetch(_ spec: NodeConfiguration.Spec, issuer: String?) async throws(AgentFailure) -> [String: [UInt8]] {
        var contents: [String: [UInt8]] = [:]
        for file in spec.followedFiles { contents[file.path] = try await fetch(file, issuer: issuer) }
        return contents
    }

    /// Fetches the content of one file.
    ///
    /// - Parameters:
    ///   - file: one of those that are followed.
    ///   - issuer: as above.
    /// - Returns: never nothing: an empty credential does not take the place of a good one.
    /// - Throws: `AgentFailure` where it cannot be had.
    func fetch(_ file: NodeConfiguration.File, issuer: String?) async throws(AgentFailure) -> [UInt8] {
        guard let reference = file.content.secretRef else {
            return try await TunnelCertificate(context, client).current(issuer: issuer)
        }
        let secret = try await attempting("read the Secret \(reference.name) for \(file.path)") {
            try await client.get(KubernetesSecret.self, reference.name, namespace: TendrilAPI.namespace)
        }
        guard let bytes = secret[reference.key], !bytes.isEmpty else {
            throw AgentFailure(
                .badDesiredState,
                "the Secret \(reference.name) has nothing under \(reference.key) for \(file.path)"
            )
        }
        return bytes
    }

    /// Fetches what can be had, takes for the rest what stands at its path, and leaves out of `spec` what is nowhere.
    func fetchOrKeep(_ spec: inout NodeConfiguration.Spec) async throws -> [String: [UInt8]] {
        var contents: [String: [UInt8]] = [:]
        for file in spec.followedFiles {
            do throws(AgentFailure) {
                contents[file.path] = try await fetch(file, issuer: nil)
            } catch {
                context.logger.warning("\(error.message)", metadata: ["instead": "what stands at \(file.path)"])
                contents[file.path] = try context.files.read(file.path)
            }
        }
        let missing = spec.followedPaths.subtracting(contents.keys)
        spec.files?.removeAll { missing.contains($0.path) }
        if let path = spec.tunnelCertificate?.path, missing.contains(path) { spec.tunnelCertificate = nil }
        return contents
    }
}
