internal import ClusterModel
internal import ShootPlan
internal import TLSEngine
internal import TendrilCore

/// The files of one credential by their names.
typealias Credential = [String: [UInt8]]

/// A kind of CA or key: how one is made, and what the Secret holds for those who read it.
protocol CredentialKind {
    /// Makes a new one.
    func make() throws -> Credential
    /// What others read besides the files of the first one, which is used: all of them are believed.
    func derived(_ credentials: [(generation: Int, files: Credential)]) throws -> [String: [UInt8]]
}

extension CredentialKind {
    func derived(_ credentials: [(generation: Int, files: Credential)]) throws -> [String: [UInt8]] { [:] }
}

/// A CA.
struct AuthorityKind: CredentialKind {
    let name: String
    let log: IssuanceLog

    func make() throws -> Credential {
        let issuer = try CertificateIssuer(name: name, days: Authority.days)
        let certificate = try issuer.authorityPEM()
        try log.note(certificate, for: name)
        return [
            SecretKey.authority: certificate,
            SecretKey.authorityKey: try issuer.authorityKeyPEM().copied,
        ]
    }
}

/// The key that signs ServiceAccounts' tokens.
struct ServiceAccountKind: CredentialKind {
    func make() throws -> Credential {
        let key = try KeyPair()
        return [SecretKey.signingKey: try key.pem().copied, "verify.pem": try key.publicPEM()]
    }

    /// kube-apiserver takes several keys in one file (`--service-account-key-file`).
    func derived(_ credentials: [(generation: Int, files: Credential)]) -> [String: [UInt8]] {
        [SecretKey.tokenKeys: credentials.flatMap { $0.files["verify.pem"] ?? [] }]
    }
}

/// The key that Secrets are encrypted with in etcd.
struct EncryptionKind: CredentialKind {
    let provider: String

    func make() throws -> Credential {
        ["secret": Array(try Digest.random(32).base64.utf8)]
    }

    /// The first key encrypts, all decrypt (Kubernetes documentation, "Encrypting Confidential Data at Rest").
    func derived(_ credentials: [(generation: Int, files: Credential)]) throws -> [String: [UInt8]] {
        let keys = credentials.map { generation, files -> JSONValue in
            let secret = String(decoding: files["secret"] ?? [], as: UTF8.self)
            return ["name": .string("key\(generation + 1)"), "secret": .string(secret)]
        }
        let configuration: JSONValue = [
            "apiVersion": "apiserver.config.k8s.io/v1", "kind": "EncryptionConfiguration",
            "resources": [
                [
                    "resources": ["secrets"],
                    "providers": [.object([provider: ["keys": .array(keys)]]), ["identity": [:]]],
                ]
            ],
        ]
        return [SecretKey.encryption: Array(try CanonicalJSON.text(configuration).utf8)]
    }
}

/// The key of the tunnel's gate.
struct GateKind: CredentialKind {
    func make() throws -> Credential { ["line": try GateKeys.generateFile()] }

    /// Both ends sign with the first key and accept all.
    func derived(_ credentials: [(generation: Int, files: Credential)]) -> [String: [UInt8]] {
        [NodeRendering.gateKey: credentials.flatMap { $0.files["line"] ?? [] }]
    }
}

/// The key that signs what nodes are told.
struct NodeSigningKind: CredentialKind {
    func make() throws -> Credential {
        let key = try SigningKey()
        return [
            SecretKey.signingKey: try key.pem().copied,
            "public": Array(try key.verifyingKey().bytes.base64.utf8),
        ]
    }
}

extension KeyName {
    func kind(_ facts: ClusterFacts) -> any CredentialKind {
        switch self {
        case .serviceAccount: ServiceAccountKind()
        case .etcdEncryption: EncryptionKind(provider: facts.traits.encryptionProvider)
        case .gate: GateKind()
        case .nodeSigning: NodeSigningKind()
        }
    }
}

/// The keys that sign what nodes are told, out of their Secret.
enum SigningKeys {
    /// All of them in base64, the one that is used first.
    static func verifying(_ secret: KubernetesSecret) -> [String] {
        CredentialSecret.credentials(secret).compactMap { files in
            files["public"].map { String(decoding: $0, as: UTF8.self) }
        }
    }

    /// All of them: what each of them signs is believed by those who know it.
    static func signing(_ secret: KubernetesSecret) throws -> [SigningKey] {
        try CredentialSecret.credentials(secret).compactMap { files in
            try files[SecretKey.signingKey].map { try SigningKey(pem: TendrilCore.Secret($0)) }
        }
    }
}
