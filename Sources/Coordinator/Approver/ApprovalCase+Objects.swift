internal import ClusterModel
internal import TLSEngine
internal import TendrilCore

extension ApprovalCase {
    /// Puts together what a request's object says.
    init(_ object: CertificateSigningRequest, _ request: CertificateRequest, cluster: String, now: UInt64) {
        let isGood = request.key == .p256 || request.key == .ed25519
        self.init(
            cluster: cluster,
            signer: object.spec.signerName,
            usages: object.spec.usages,
            uid: object.metadata.uid ?? "",
            requestor: object.spec.username ?? "",
            requestorGroups: object.spec.groups ?? [],
            request: RequestFacts(
                user: request.subject.user,
                groups: request.subject.groups,
                hosts: request.names.hosts,
                addresses: request.names.addresses,
                uris: request.names.uris,
                otherNames: request.names.others,
                otherExtensions: request.otherExtensions,
                hasGoodKey: isGood,
                keyDigest: Hex.text(request.keyDigest)
            ),
            now: now
        )
    }
}

extension ApprovalCase.NodeFacts {
    /// Takes a Node's addresses.
    init(_ node: Node) {
        let all = node.status?.addresses ?? []
        let names = ["Hostname", "InternalDNS", "ExternalDNS"]
        self.init(
            hosts: Set(all.filter { names.contains($0.type) }.map(\.address)),
            addresses: Set(
                all.filter { ["InternalIP", "ExternalIP"].contains($0.type) }.compactMap { IPAddress($0.address) }
            )
        )
    }
}
