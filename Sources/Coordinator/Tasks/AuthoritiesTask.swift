internal import ClusterModel
internal import KubernetesClient
internal import ShootPlan
internal import TLSEngine
internal import TendrilCore

/// CAs and keys: made once, and exchanged when people ask for it.
package enum AuthoritiesTask {
    /// Which CAs are in force: a leaf of another one is issued anew.
    package struct Output: Codable, Sendable {
        /// SHA-256 of each CA's certificate, by its name.
        var authorities: [String: String]
        /// A digest of each key and bundle, by the Secret's name.
        var digests: [String: String]
        /// When each CA that is used ends, in seconds since 1970, by its name; an older release did not say it.
        package var ends: [String: UInt64]?
    }

    /// Makes those that are missing, and exchanges them.
    package static func make(_ work: ShootWork) -> ShootTask {
        ShootTask(
            name: TaskName.authorities,
            title: "Making authorities and keys",
            after: [TaskName.namespace],
            inputs: { records in
                let names = (Authority.allCases.map(\.rawValue) + KeyName.allCases.map(\.rawValue))
                let rotation = records.rotation ?? Rotation()
                return [
                    "names": .array(names.map { .string($0) }), "rotation": .integer(rotation.number),
                    "step": .string(rotation.step.rawValue),
                ]
            },
            perform: { records in
                try await perform(work, records.rotation ?? Rotation())
            }
        )
    }

    private static func perform(_ work: ShootWork, _ rotation: Rotation) async throws -> JSONValue {
        let store = SecretStore(seed: work.seed, namespace: work.namespace)
        var output = Output(authorities: [:], digests: [:], ends: [:])
        var certificates: [Authority: [UInt8]] = [:]
        let log = IssuanceLog(logger: work.logger)
        for authority in Authority.allCases {
            let kind = AuthorityKind(name: "\(work.namespace) \(authority.rawValue)", log: log)
            let wanted = rotation.generations(isServed: authority.isServed)
            let credentials = try await store.keep(authority.rawValue, wanted, kind)
            // In an order that does not change with what is used: whoever reads a bundle need not read it again.
            let oldestFirst = (wanted.other ?? .max) < wanted.used ? credentials.reversed() : credentials
            certificates[authority] = oldestFirst.flatMap { $0[SecretKey.authority] ?? [] }
            let used = credentials.first?[SecretKey.authority] ?? []
            output.ends?[authority.rawValue] = try CertificateFacts(pem: used, authority.rawValue).expiry
            let digest = Digest.hex(used)
            output.authorities[authority.rawValue] = digest
            output.digests[authority.rawValue] = digest
        }
        for authority in Authority.allCases {
            let bundle = authority.believed.flatMap { certificates[$0] ?? [] }
            try await store.write(authority.bundle, [SecretKey.authority: bundle])
            output.digests[authority.bundle] = Digest.hex(bundle)
        }
        for key in KeyName.allCases {
            let wanted = rotation.generations(isServed: false)
            let credentials = try await store.keep(key.rawValue, wanted, key.kind(work.facts))
            output.digests[key.rawValue] = Digest.hex(credentials.flatMap(CredentialText.digestible))
        }
        return try CanonicalJSON.value(output)
    }
}
