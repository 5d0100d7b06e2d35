package import ClusterModel
package import FoundationEssentials
internal import NodePlan

/// How far the bootstrap is, kept over restarts.
package struct Progress: Codable, Hashable, Sendable {
    package var phase: BootstrapPhase
    /// Seconds since 1970 of the agent's first start.
    package var startedAt: UInt64
    package var attempts: Int
    package var error: String?
    package var cause: AgentFailure.Cause?
    package var timings: [NodeBootstrap.Timing]

    package init(at time: UInt64) {
        (phase, startedAt, attempts, timings) = (.preflight, time, 0, [])
    }
}

/// A generation with what proves it.
package struct SignedConfiguration: Codable, Hashable, Sendable {
    /// The name of the Secret that it came in.
    package var name: String
    /// The document, as it was signed.
    package var document: Data
    /// SHA-256 of the document in hexadecimal digits.
    package var checksum: String
    package var generation: Int

    package init(name: String, document: [UInt8], checksum: String, generation: Int) {
        (self.name, self.document) = (name, Data(document))
        (self.checksum, self.generation) = (checksum, generation)
    }
}

/// A generation on its way.
package struct PendingGeneration: Codable, Hashable, Sendable {
    package var configuration: SignedConfiguration
    /// The CA bundle that was believed before it, and before all that it took the place of; `nil` where that is not known.
    package var authority: Data?
    /// Whether the machine is no longer as the generation in force wants it.
    package var isBegun: Bool?
    /// When its kubelet was started last, in seconds since 1970; `nil` where it was not.
    package var begunAt: UInt64?
}

/// A generation that was taken back.
package struct Rejection: Codable, Hashable, Sendable {
    package var checksum: String
    package var generation: Int
    package var reason: String
}

/// Reads and writes the agent's state as JSON, durably.
package struct StateStore<Files: FileLayer>: Sendable {
    private let files: Files

    package init(_ files: Files) { self.files = files }

    /// What is kept at a path; `nil` where nothing is, or nothing that can be read.
    package func load<Value: Decodable>(_ type: Value.Type, _ path: String) throws -> Value? {
        guard let bytes = try files.read(path, limit: 4 << 20) else { return nil }
        return try? JSONDecoder().decode(type, from: Data(bytes))
    }

    /// Keeps a value at a path.
    package func save(_ value: some Encodable, _ path: String) throws {
        try files.replace(path, try CanonicalJSON.bytes(value), mode: 0o600)
    }

    package func remove(_ path: String) throws {
        try files.remove(path)
        try files.syncDirectory(of: path)
    }
}
