internal import FoundationEssentials
internal import HTTPTransfer
internal import LinuxSystem
internal import ShootPlan
internal import TendrilCore

/// What our program does in the pods that make snapshots and bring one back.
package struct SnapshotSteps: Sendable {
    private let store: SnapshotStore

    /// Takes where the store is, and where the files with its access key are.
    ///
    /// - Parameters:
    ///   - endpoint: `https://…`, without a slash at its end.
    ///   - region: by which requests are signed.
    ///   - bucket: its name.
    ///   - credentials: a directory.
    /// - Throws: where there is no access key.
    package init(endpoint: String, region: String, bucket: String, credentials: String) throws {
        store = try SnapshotStore(
            endpoint: endpoint,
            region: region,
            bucket: bucket,
            transport: try HTTPTransfer()
        ) { file in
            let path = "\(credentials)/\(file.rawValue)"
            return try FileManager.default.fileExists(atPath: path) ? DurableFile.read(path) : nil
        }
    }

    /// Uploads a snapshot that has just been made.
    ///
    /// - Parameters:
    ///   - file: its path.
    ///   - keys: what its key is to begin with.
    /// - Returns: the key.
    /// - Throws: where it is none, or the store does not take it.
    package func upload(_ file: String, keys: String) async throws -> String {
        // A database has two pages at least, and what follows it is its digest.
        guard let size = FileStamp.size(of: file), size > 8192 else {
            throw TextFailure("\(file) is no snapshot")
        }
        let name = SnapshotPlan.name(at: Clock.unixTime())
        let key = "\(keys)\(name)\(SnapshotPlan.ending)"
        try await store.upload(file, as: key)
        // Others than Amazon's may take less than was sent.
        guard let stored = try await store.size(of: key) else {
            // It may be whole, and be listed later.
            throw TextFailure("\(key): the store took \(size) bytes, and does not list them")
        }
        guard stored == size else {
            // It would count as the newest one, and have those go that are whole.
            try? await store.delete(key)
            throw TextFailure("\(key): the store has \(stored) bytes of \(size)")
        }
        return key
    }

    /// Fetches a snapshot that is to be restored.
    ///
    /// - Parameters:
    ///   - key: of the snapshot.
    ///   - file: where it is to be.
    ///   - size: of the snapshot, in bytes.
    /// - Throws: where the store does not give it.
    package func download(_ key: String, to file: String, size: Int) async throws {
        DurableFile.remove(file)
        try await store.download(key, to: file, size: size)
    }
}
