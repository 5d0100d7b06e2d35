internal import ClusterModel
internal import KubernetesClient
internal import LinuxSystem
internal import ShootPlan
internal import TLSEngine
internal import TendrilCore

/// The certificates of the control plane and of those who speak to it, renewed before they expire.
package enum CertificatesTask {
    /// What was issued.
    package struct Output: Codable, Sendable {
        /// A digest of each Secret by its name.
        package var digests: [String: String]
        /// When the first has to be renewed, in seconds since 1970; people's does not count.
        var renewal: UInt64
        /// When people's has to be renewed; an older release said the first of all in `renewal`.
        var people: UInt64?
    }

    /// Issues them; `now` is in seconds since 1970.
    package static func make(_ work: ShootWork, now: @escaping @Sendable () -> UInt64 = Clock.unixTime) -> ShootTask {
        ShootTask(
            name: TaskName.certificates,
            title: "Issuing certificates",
            after: [TaskName.authorities, TaskName.services],
            inputs: { records in
                let leaves = CredentialPlan.leaves(work.facts, try work.addresses(records))
                let last = try? records.output(TaskName.certificates, as: Output.self)
                let inputs: JSONValue = [
                    "leaves": .array(leaves.map(\.inputs)), "authorities": records[TaskName.authorities] ?? .null,
                    "due": .integer(Renewals.mark(last?.renewal, at: now())),
                ]
                let people = Renewals.mark(last?.people ?? last?.renewal, at: now())
                return people == 0 ? inputs : inputs.merging(["people": .integer(people)])
            },
            perform: { records in
                let leaves = CredentialPlan.leaves(work.facts, try work.addresses(records))
                let store = SecretStore(seed: work.seed, namespace: work.namespace)
                var issuing = Issuing(store: store, log: IssuanceLog(logger: work.logger), now: now())
                var output = Output(digests: [:], renewal: .max)
                for leaf in leaves {
                    let (secret, renewal) = try await issuing.keep(leaf)
                    output.digests[leaf.name] = SecretStore.digest(secret)
                    if leaf.name == LeafPlan.people {
                        output.people = renewal
                    } else {
                        output.renewal = min(output.renewal, renewal)
                    }
                }
                return try CanonicalJSON.value(output)
            }
        )
    }

    /// Issues people's certificate where it is due, and no other; when it is due again, in seconds since 1970.
    static func keepPeople(_ work: ShootWork, _ records: FlowRecords) async throws -> UInt64 {
        let leaves = CredentialPlan.leaves(work.facts, try work.addresses(records))
        guard let leaf = leaves.first(where: { $0.name == LeafPlan.people }) else { return .max }
        let store = SecretStore(seed: work.seed, namespace: work.namespace)
        var issuing = Issuing(store: store, log: IssuanceLog(logger: work.logger), now: Clock.unixTime())
        return try await issuing.keep(leaf).renewal
    }
}

/// Issues leaves that are missing, that are not as they are wanted, or that expire.
private struct Issuing {
    private static let inputs = "tendril.dev/inputs"

    let store: SecretStore
    let log: IssuanceLog
    let now: UInt64
    private var authorities: [Authority: (authority: RequestAuthority, certificate: [UInt8])] = [:]

    private var bundle: [UInt8]?

    init(store: SecretStore, log: IssuanceLog, now: UInt64) { (self.store, self.log, self.now) = (store, log, now) }

    mutating func keep(_ leaf: LeafPlan) async throws -> (KubernetesSecret, renewal: UInt64) {
        let (authority, believed) = try await self.authority(leaf.authority)
        let bundle = leaf.server == nil ? [] : try await clusterBundle()
        let wanted = try JSONValue.array([
            leaf.inputs, .string(Digest.hex(believed)), .string(leaf.server == nil ? "" : Digest.hex(bundle)),
        ]).digest()
        if let present = try await store.read(leaf.name), present.metadata.annotations?[Self.inputs] == wanted,
            let certificate = present[SecretKey.certificate]
        {
            let facts = try CertificateFacts(pem: certificate, leaf.name)
            let renewal = facts.moment(at: LeafPlan.renewalShare)
            if renewal > now { return (present, renewal) }
        }
        let key = try KeyPair()
        let certificate = try authority.issue(
            key,
            subject: SubjectName(user: leaf.user, groups: leaf.groups),
            names: AlternativeNames(hosts: leaf.hosts, addresses: leaf.addresses, uris: leaf.uris),
            usages: (leaf.isServer ? [.server] : []) + (leaf.isClient ? [.client] : []),
            lifetime: UInt64(leaf.lifetimeDays) * 86400
        )
        try log.note(certificate, for: "\(store.namespace) \(leaf.name)")
        var data = [SecretKey.certificate: certificate, SecretKey.key: try key.pem().copied]
        if let server = leaf.server {
            data[SecretKey.kubeconfig] = try KubeconfigText.make(
                server: server,
                authority: bundle,
                certificate: certificate,
                key: data[SecretKey.key] ?? []
            )
        }
        let secret = try await store.write(leaf.name, data, annotations: [Self.inputs: wanted])
        return (secret, try CertificateFacts(pem: certificate, leaf.name).moment(at: LeafPlan.renewalShare))
    }

    /// What those with a kubeconfig believe, read once for all of them.
    private mutating func clusterBundle() async throws -> [UInt8] {
        if let bundle { return bundle }
        let read = try await store.read(Authority.cluster.bundle)?[SecretKey.authority] ?? []
        bundle = read
        return read
    }

    private mutating func authority(_ name: Authority) async throws -> (RequestAuthority, [UInt8]) {
        if let known = authorities[name] { return known }
        guard let secret = try await store.read(name.rawValue), let certificate = secret[SecretKey.authority],
            let key = secret[SecretKey.authorityKey]
        else { throw TaskFailure(.unknown, "the Secret \(name.rawValue) is gone") }
        let made = (try RequestAuthority(certificate: certificate, key: TendrilCore.Secret(key)), certificate)
        authorities[name] = made
        return made
    }
}

/// A kubeconfig with a certificate.
enum KubeconfigText {
    static func make(server: String, authority: [UInt8], certificate: [UInt8], key: [UInt8]) throws -> [UInt8] {
        Array(
            try CanonicalJSON.text(
                [
                    "apiVersion": "v1", "kind": "Config", "current-context": "shoot",
                    "clusters": [
                        [
                            "name": "shoot",
                            "cluster": [
                                "server": .string(server), "certificate-authority-data": .string(authority.base64),
                            ],
                        ]
                    ],
                    "users": [
                        [
                            "name": "shoot",
                            "user": [
                                "client-certificate-data": .string(certificate.base64),
                                "client-key-data": .string(key.base64),
                            ],
                        ]
                    ],
                    "contexts": [["name": "shoot", "context": ["cluster": "shoot", "user": "shoot"]]],
                ] as JSONValue
            ).utf8
        )
    }
}
