internal import ClusterModel
internal import FoundationEssentials
internal import KubernetesClient
internal import LinuxSystem
internal import ShootPlan
internal import TLSEngine
internal import TendrilCore

/// CAs and keys: made once, then kept.
enum AuthoritiesTask {
    /// Which CAs are in force: a leaf of another one is issued anew.
    struct Output: Codable, Sendable {
        /// SHA-256 of each CA's certificate, by its name.
        var authorities: [String: String]
        /// A digest of each key and bundle, by the Secret's name.
        var digests: [String: String]
    }

    static func make(_ work: ShootWork) -> ShootTask {
        ShootTask(
            name: TaskName.authorities,
            title: "Making authorities and keys",
            after: [TaskName.namespace],
            inputs: { _ in
                .array((Authority.allCases.map(\.rawValue) + KeyName.allCases.map(\.rawValue)).map { .string($0) })
            },
            perform: { _ in
                let store = SecretStore(seed: work.seed, namespace: work.namespace)
                var output = Output(authorities: [:], digests: [:])
                var certificates: [Authority: [UInt8]] = [:]
                for authority in Authority.allCases {
                    let secret = try await store.keep(authority.rawValue) { try Self.authority(authority, work) }
                    guard let certificate = secret[SecretKey.authority] else {
                        throw TaskFailure(.unknown, "the Secret \(authority.rawValue) holds no certificate")
                    }
                    certificates[authority] = certificate
                    output.authorities[authority.rawValue] = Digest.hex(certificate)
                    output.digests[authority.rawValue] = Digest.hex(certificate)
                }
                for authority in Authority.allCases {
                    let bundle = authority.believed.flatMap { certificates[$0] ?? [] }
                    try await store.write(authority.bundle, [SecretKey.authority: bundle])
                    output.digests[authority.bundle] = Digest.hex(bundle)
                }
                for key in KeyName.allCases {
                    let secret = try await store.keep(key.rawValue) { try Keys.make(key, work.facts) }
                    output.digests[key.rawValue] = SecretStore.digest(secret)
                }
                return try CanonicalJSON.value(output)
            }
        )
    }

    private static func authority(_ authority: Authority, _ work: ShootWork) throws -> [String: [UInt8]] {
        let issuer = try CertificateIssuer(name: "\(work.namespace) \(authority.rawValue)", days: Authority.days)
        return [
            SecretKey.authority: try issuer.authorityPEM(),
            SecretKey.authorityKey: try issuer.authorityKeyPEM().copied,
        ]
    }
}

/// The keys of the Secrets' data.
enum SecretKey {
    static let authority = "ca.crt"
    static let authorityKey = "ca.key"
    static let certificate = "tls.crt"
    static let key = "tls.key"
    static let kubeconfig = "kubeconfig"
}

/// Keys that are no certificates.
enum Keys {
    static func make(_ name: KeyName, _ facts: ClusterFacts) throws -> [String: [UInt8]] {
        switch name {
        case .serviceAccount:
            let key = try KeyPair()
            return ["private.pem": try key.pem().copied, "public.pem": try key.publicPEM()]
        case .etcdEncryption:
            let secret = Data(try Digest.random(32)).base64EncodedString()
            return ["configuration.json": Array(try encryption(secret, facts).utf8)]
        case .gate:
            return [NodeRendering.gateKey: try GateKeys.generateFile()]
        case .nodeSigning:
            let key = try SigningKey()
            return [
                "private.pem": try key.pem().copied,
                "public": Array(Data(try key.verifyingKey().bytes).base64EncodedString().utf8),
            ]
        }
    }

    private static func encryption(_ secret: String, _ facts: ClusterFacts) throws -> String {
        let provider = KubernetesTraits(facts.version).encryptionProvider
        return try CanonicalJSON.text(
            [
                "apiVersion": "apiserver.config.k8s.io/v1", "kind": "EncryptionConfiguration",
                "resources": [
                    [
                        "resources": ["secrets"],
                        "providers": [
                            .object([provider: ["keys": [["name": "key1", "secret": .string(secret)]]]]),
                            ["identity": [:]],
                        ],
                    ]
                ],
            ] as JSONValue
        )
    }
}

/// The certificates of the control plane and of those who speak to it, renewed before they expire.
enum CertificatesTask {
    struct Output: Codable, Sendable {
        /// A digest of each Secret by its name.
        var digests: [String: String]
        /// When the first has to be renewed, in seconds since 1970.
        var renewal: UInt64
    }

    static func make(_ work: ShootWork) -> ShootTask {
        ShootTask(
            name: TaskName.certificates,
            title: "Issuing certificates",
            after: [TaskName.authorities, TaskName.services],
            inputs: { records in
                let leaves = CredentialPlan.leaves(work.facts, try work.addresses(records))
                let last = try? records.output(TaskName.certificates, as: Output.self)
                let due = (last?.renewal).map { $0 <= Clock.unixTime() ? Int(clamping: $0) : 0 } ?? 0
                return [
                    "leaves": .array(leaves.map(\.inputs)), "authorities": records[TaskName.authorities] ?? .null,
                    "due": .integer(due),
                ]
            },
            perform: { records in
                let leaves = CredentialPlan.leaves(work.facts, try work.addresses(records))
                let store = SecretStore(seed: work.seed, namespace: work.namespace)
                var issuing = Issuing(store: store)
                var output = Output(digests: [:], renewal: .max)
                for leaf in leaves {
                    let (secret, renewal) = try await issuing.keep(leaf)
                    output.digests[leaf.name] = SecretStore.digest(secret)
                    output.renewal = min(output.renewal, renewal)
                }
                return try CanonicalJSON.value(output)
            }
        )
    }
}

/// Issues leaves that are missing, that are not as they are wanted, or that expire.
private struct Issuing {
    private static let inputs = "tendril.dev/inputs"

    let store: SecretStore
    private var authorities: [Authority: (authority: RequestAuthority, certificate: [UInt8])] = [:]

    private var bundle: [UInt8]?

    init(store: SecretStore) { self.store = store }

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
            if renewal > Clock.unixTime() { return (present, renewal) }
        }
        let key = try KeyPair()
        let certificate = try authority.issue(
            key,
            subject: SubjectName(user: leaf.user, groups: leaf.groups),
            names: AlternativeNames(hosts: leaf.hosts, addresses: leaf.addresses, uris: leaf.uris),
            usages: (leaf.isServer ? [.server] : []) + (leaf.isClient ? [.client] : []),
            lifetime: UInt64(leaf.lifetimeDays) * 86400
        )
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
        func base64(_ bytes: [UInt8]) -> JSONValue { .string(Data(bytes).base64EncodedString()) }
        return Array(
            try CanonicalJSON.text(
                [
                    "apiVersion": "v1", "kind": "Config", "current-context": "shoot",
                    "clusters": [
                        [
                            "name": "shoot",
                            "cluster": ["server": .string(server), "certificate-authority-data": base64(authority)],
                        ]
                    ],
                    "users": [
                        [
                            "name": "shoot",
                            "user": ["client-certificate-data": base64(certificate), "client-key-data": base64(key)],
                        ]
                    ],
                    "contexts": [["name": "shoot", "context": ["cluster": "shoot", "user": "shoot"]]],
                ] as JSONValue
            ).utf8
        )
    }
}
