internal import ClusterModel
internal import FoundationEssentials

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
