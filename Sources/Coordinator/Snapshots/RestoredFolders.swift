internal import FoundationEssentials
internal import LinuxSystem
internal import ShootPlan

/// The folders on etcd's volume, as the last step of a restoration finds and leaves them.
///
/// Whenever it is cut off, what etcd works with is whole: what it was, or what the snapshot held. It may be done again, and by the
/// mark in the data knows what was done before. One works here at a time.
package struct RestoredFolders: Sendable {
    /// What etcd makes anew of a snapshot (etcd, "Persistent storage files").
    private static let parts = ["member/snap", "member/wal"]
    private static let database = "member/snap/db"

    private let volume: String
    private let restoration: String
    private let reserve: UInt64

    /// Takes where the data is, and whose it is to become.
    ///
    /// - Parameters:
    ///   - volume: its path.
    ///   - restoration: what no other restoration is called.
    ///   - reserve: what has to be free beside the database, in bytes: etcd's log has 64 MB at its start, and as much for its next
    ///     part.
    package init(volume: String, restoration: String, reserve: UInt64 = 256 << 20) {
        (self.volume, self.restoration, self.reserve) = (volume, restoration, reserve)
    }

    /// Puts a copy of what was made in the place of what was used, which stays beside it.
    ///
    /// - Parameter made: the folder that etcd's program made of a snapshot, elsewhere.
    /// - Throws: where that is not whole, where there is no room for it, or where somebody works with what is there; the data is what
    ///   it was then, and nothing that is new is left.
    package func replace(with made: String) throws {
        try Folders.holding(path(RestoredData.lock)) {
            // What one left that was cut off.
            try remove(RestoredData.made)
            if isDone { return }
            guard let size = FileStamp.size(of: "\(made)/\(Self.database)") else {
                throw TextFailure("\(made): nothing was made of the snapshot")
            }
            try refuseUsed()
            try makeRoom(for: UInt64(clamping: size))
            do {
                try copy(made)
                try mark(RestoredData.made)
                try putInPlace()
            } catch {
                try? remove(RestoredData.made)
                throw error
            }
        }
    }

    /// Has what was used before the last restoration, and what is used now, take each other's place.
    ///
    /// - Throws: where there is no such data, or it was never used, or somebody works with what is there; the data is what it was then.
    package func goBack() throws {
        try Folders.holding(path(RestoredData.lock)) {
            guard !isDone else { return }
            guard has("\(RestoredData.before)/\(Self.database)") else {
                throw TextFailure("\(volume): there is no data of before")
            }
            try refuseUnused()
            // A file without content: where there is no room for anything, there is for a name.
            try DurableFile.write([], to: path("\(RestoredData.before)/\(way)"), mode: 0o600)
            try Folders.sync(volume)
            try exchange()
        }
    }

    /// Whether the data is this restoration's.
    private var isDone: Bool {
        mark(of: RestoredData.used) == restoration || has("\(RestoredData.used)/\(way)")
    }

    /// The file that says in a folder that this restoration led back to it.
    private var way: String { "\(RestoredData.way)\(restoration)" }

    /// Which restoration made a folder; `nil` where it is what etcd had from the beginning.
    private func mark(of folder: String) -> String? {
        (try? DurableFile.read(path("\(folder)/\(RestoredData.mark)"), limit: 256)).map {
            String(decoding: $0, as: UTF8.self)
        }
    }

    /// Which restoration was the last that had a folder used, in seconds since 1970; 0 where none had.
    private func lastUse(of folder: String) -> UInt64 {
        let files = (try? FileManager.default.contentsOfDirectory(atPath: path(folder))) ?? []
        let ways = files.filter { $0.hasPrefix(RestoredData.way) }.map { String($0.dropFirst(RestoredData.way.count)) }
        return ([mark(of: folder)].compactMap(\.self) + ways).compactMap { UInt64($0) }.max() ?? 0
    }

    /// Ends the way back where what waits to be exchanged never was, and so is no data of before: what is in use came by a later
    /// restoration otherwise.
    private func refuseUnused() throws {
        let maker = mark(of: RestoredData.before).flatMap { UInt64($0) }
        guard let made = maker, made > lastUse(of: RestoredData.used) else { return }
        throw TextFailure(
            "\(volume)/\(RestoredData.before) was made by restoration \(made), but never used: no data of before"
        )
    }

    private func copy(_ made: String) throws {
        for part in Self.parts {
            let target = path("\(RestoredData.made)/\(part)")
            try DurableFile.makeDirectories(target, mode: 0o700)
            for name in try FileManager.default.contentsOfDirectory(atPath: "\(made)/\(part)") {
                try DurableFile.copy("\(made)/\(part)/\(name)", to: "\(target)/\(name)")
            }
        }
    }

    /// Says in a folder whose it is, and has all of it last.
    private func mark(_ folder: String) throws {
        try DurableFile.write(Array(restoration.utf8), to: path("\(folder)/\(RestoredData.mark)"), mode: 0o600)
        try Folders.sync(volume)
    }

    /// Of what was there before one is enough; the new data waits in its place.
    private func putInPlace() throws {
        guard has(RestoredData.used) else {
            return try Folders.move(path(RestoredData.made), to: path(RestoredData.used))
        }
        try remove(RestoredData.before)
        try Folders.move(path(RestoredData.made), to: path(RestoredData.before))
        do {
            try exchange()
        } catch {
            // It was never used.
            if !isDone { try? remove(RestoredData.before) }
            throw error
        }
    }

    private func exchange() throws {
        guard has(RestoredData.used) else {
            return try Folders.move(path(RestoredData.before), to: path(RestoredData.used))
        }
        try refuseUsed()
        try Folders.exchange(path(RestoredData.before), with: path(RestoredData.used))
    }

    /// Ends it where an etcd works with the data: it holds the lock of its database for as long as it runs.
    private func refuseUsed() throws {
        guard try !Folders.isHeld(path("\(RestoredData.used)/\(Self.database)")) else {
            throw TextFailure("\(volume): an etcd works with the data")
        }
    }

    /// What was there before goes only where there is no room otherwise, and enough without it.
    private func makeRoom(for size: UInt64) throws {
        if try !hasRoom(for: size), has(RestoredData.used), try hasRoom(for: size, without: RestoredData.before) {
            try remove(RestoredData.before)
        }
        guard try hasRoom(for: size) else {
            let free = try Folders.free(at: volume)
            let needed = "\(size >> 20) and \(reserve >> 20) are needed"
            throw TextFailure("\(volume): \(free >> 20) MiB are free, and \(needed)")
        }
    }

    private func hasRoom(for size: UInt64, without folder: String? = nil) throws -> Bool {
        let free = try Folders.free(at: volume) &+ (folder.map(bytes) ?? 0)
        return free >= reserve && free - reserve >= size
    }

    /// How much a folder has, in bytes; nothing where it is not there.
    private func bytes(_ folder: String) -> UInt64 {
        let files = (try? FileManager.default.subpathsOfDirectory(atPath: path(folder))) ?? []
        return files.reduce(0) { $0 &+ UInt64(clamping: FileStamp.size(of: "\(path(folder))/\($1)") ?? 0) }
    }

    private func path(_ name: String) -> String { "\(volume)/\(name)" }

    private func has(_ name: String) -> Bool { FileManager.default.fileExists(atPath: path(name)) }

    private func remove(_ name: String) throws {
        guard has(name) else { return }
        do {
            try FileManager.default.removeItem(atPath: path(name))
        } catch {
            throw TextFailure("\(path(name)) cannot be removed: \(error)")
        }
    }
}
