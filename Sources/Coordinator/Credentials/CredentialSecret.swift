internal import ClusterModel
internal import KubernetesClient
internal import ShootPlan
internal import TLSEngine
internal import TendrilCore

/// How credentials of one kind stand in their Secret: the files of the one that is used under their own names, those of
/// another behind a prefix, and in annotations which they are.
enum CredentialSecret {
    private static let used = "tendril.dev/credential"
    private static let other = "tendril.dev/other-credential"
    private static let prefix = "other-"
    /// Which of the data are files of the credential; the rest is derived from them.
    private static let names = "tendril.dev/credential-files"

    /// The credentials in a Secret, the one that is used first.
    static func credentials(_ secret: KubernetesSecret) -> [Credential] { read(secret).map(\.files) }

    /// The credentials in a Secret with their generations.
    static func read(_ secret: KubernetesSecret) -> [(generation: Int, files: Credential)] {
        let notes = secret.metadata.annotations ?? [:]
        guard let generation = notes[used].flatMap({ Int($0) }) else { return [] }
        let names = (notes[names] ?? "").split(separator: ",").map(String.init)
        func files(_ prefix: String) -> Credential {
            Dictionary(uniqueKeysWithValues: names.compactMap { name in secret[prefix + name].map { (name, $0) } })
        }
        let first = [(generation: generation, files: files(""))]
        guard let second = notes[other].flatMap({ Int($0) }) else { return first }
        return first + [(generation: second, files: files(prefix))]
    }

    /// What a Secret with these credentials, one or two, holds, and its annotations.
    static func contents(_ credentials: [(generation: Int, files: Credential)], _ kind: any CredentialKind) throws
        -> (data: [String: [UInt8]], annotations: [String: String])
    {
        var data = try kind.derived(credentials)
        var annotations: [String: String] = [:]
        for (index, credential) in credentials.enumerated() {
            annotations[index == 0 ? used : other] = "\(credential.generation)"
            for (name, content) in credential.files { data[(index == 0 ? "" : prefix) + name] = content }
        }
        annotations[names] = credentials.first.map { $0.files.keys.sorted().joined(separator: ",") }
        return (data, annotations)
    }
}

extension SecretStore {
    /// Keeps the credentials of a kind: those that are there stay as they are, what is missing is made, what is not wanted
    /// any more goes.
    ///
    /// - Parameters:
    ///   - name: of the Secret.
    ///   - wanted: which credentials there are to be.
    ///   - kind: how one is made.
    /// - Returns: the credentials, the one that is used first.
    /// - Throws: an error of the API; a conflict with another writer is left to the next attempt.
    ///   `TaskFailure` where a Secret of this name is none of ours: it is never replaced.
    func keep(_ name: String, _ wanted: CredentialGenerations, _ kind: any CredentialKind) async throws -> [Credential]
    {
        let present = try await read(name)
        let known = present.map(CredentialSecret.read) ?? []
        guard present == nil || !known.isEmpty else {
            throw TaskFailure(.unknown, "the Secret \(namespace)/\(name) does not say which credentials it holds")
        }
        guard known.allSatisfy({ $0.generation <= wanted.all.max() ?? 0 }) else {
            throw TaskFailure(
                .unknown,
                "the Secret \(namespace)/\(name) holds newer credentials than are remembered; nothing is replaced"
            )
        }
        if known.map(\.generation) == wanted.all { return known.map(\.files) }
        let credentials = try wanted.all.map { generation in
            let kept = known.first { $0.generation == generation }?.files
            return (generation: generation, files: try kept ?? kind.make())
        }
        let (data, annotations) = try CredentialSecret.contents(credentials, kind)
        try await write(name, data, annotations: annotations, over: present)
        return credentials.map(\.files)
    }
}

/// Text that identifies credentials without revealing them.
enum CredentialText {
    static func digestible(_ files: Credential) -> [UInt8] {
        files.sorted { $0.key < $1.key }.flatMap { Array("\($0.key)=\(Digest.hex($0.value));".utf8) }
    }
}
