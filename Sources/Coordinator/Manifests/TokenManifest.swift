package import ClusterModel
internal import LinuxSystem
internal import TLSEngine

/// Bootstrap tokens of pools and machines.
package enum TokenManifest {
    /// Makes a token.
    ///
    /// - Parameters:
    ///   - pool: whose machines may use it.
    ///   - machine: the one machine that it is for; `nil` for all of a scaling group.
    ///   - namePrefix: what the names of the pool's machines begin with.
    ///   - lifetime: in seconds from now.
    ///   - allowsRejoin: whether it replaces an identity that is lost; only with `machine`.
    /// - Returns: the token's text and its Secret.
    /// - Throws: where no random bytes are to be had.
    package static func make(
        pool: String,
        machine: String?,
        namePrefix: String,
        lifetime: UInt64,
        allowsRejoin: Bool
    ) throws -> (text: String, secret: KubernetesSecret) {
        let (id, secret) = (try characters(6), try characters(16))
        var notes: [String: String] = [:]
        if let machine { notes[TokenGrant.machineAnnotation] = machine }
        if !namePrefix.isEmpty { notes[TokenGrant.namePrefixAnnotation] = namePrefix }
        if allowsRejoin { notes[TokenGrant.rejoinAnnotation] = "true" }
        let fields = [
            "token-id": id, "token-secret": secret, "usage-bootstrap-authentication": "true",
            "usage-bootstrap-signing": "true", "auth-extra-groups": BootstrapToken.group,
            "expiration": KubernetesTime.text(seconds: Clock.unixTime() + lifetime),
            "description": "machines of the pool \(pool)",
        ]
        let metadata = ObjectMetadata(
            name: BootstrapToken.secretName(id: id),
            namespace: TendrilAPI.namespace,
            labels: TokenGrant.labels(pool: pool),
            annotations: notes.isEmpty ? nil : notes
        )
        let object = KubernetesSecret(
            metadata,
            type: "bootstrap.kubernetes.io/token",
            data: fields.mapValues { Array($0.utf8) }
        )
        return ("\(id).\(secret)", object)
    }

    /// Characters of a token, each as likely as any other.
    private static func characters(_ count: Int) throws -> String {
        let alphabet = Array("abcdefghijklmnopqrstuvwxyz0123456789".utf8)
        var text: [UInt8] = []
        while text.count < count {
            // 252 is the largest multiple of 36 in a byte.
            text += try Digest.random(count).filter { $0 < 252 }.map { alphabet[Int($0) % alphabet.count] }
        }
        return String(decoding: text.prefix(count), as: UTF8.self)
    }
}
