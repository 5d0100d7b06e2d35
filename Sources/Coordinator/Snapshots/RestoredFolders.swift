internal import FoundationEssentials
internal import LinuxSystem
internal import ShootPlan

/// The folders on etcd's volume, as the steps of a restoration find and leave them.
///
/// Whenever a step is cut off, what etcd works with is whole: what it was, or what the snapshot held. Each step may be done
/// again, and by the mark in the data knows what was done before.
package struct RestoredFolders: Sendable {
    /// What has to be free beside the data itself: etcd's log has 64 MB at its start, and is made before the old one goes.
    private static let reserve: UInt64 = 256 << 20

    private let volume: String
    private let restoration: String

    /// Takes the volume's path, and what no other restoration is called.
    package init(volume: String, restoration: String) { (self.volume, self.restoration) = (volume, restoration) }

    /// Makes room for the data that etcd's program makes of a snapshot.
    ///
    /// - Parameter size: of the snapshot, in bytes.
    /// - Throws: where there is too little room; then the data is what it was.
    package func prepare(size: Int) throws {
        try remove(RestoredData.made)
        if isDone {
            try keepFormer()
        } else {
            // What another one made ready and did not put in place; of what was there before one is enough.
            try remove(RestoredData.ready)
            if has(RestoredData.used) { try remove(RestoredData.before) }
        }
        let free = try Folders.free(at: volume)
        let needed = UInt64(clamping: size) + Self.reserve
        guard free >= needed else {
            throw TextFailure("\(volume): \(free >> 20) MiB are free, and \(needed >> 20) are needed")
        }
    }

    /// Puts what was made in the place of what was used, which stays beside it.
    ///
    /// - Throws: where there is nothing whole to put there, or where somebody works with what is there.
    package func replace() throws {
        guard !isDone else { return try remove(RestoredData.made) }
        guard has("\(RestoredData.made)/member/snap/db") else {
            throw TextFailure("\(volume): nothing was made of the snapshot")
        }
        guard try !Folders.isHeld(path("\(RestoredData.used)/member/snap/db")) else {
            throw TextFailure("\(volume): an etcd works with the data")
        }
        let mark = path("\(RestoredData.made)/\(RestoredData.mark)")
        try DurableFile.write(Array(restoration.utf8), to: mark, mode: 0o600)
        try Folders.sync(volume)
        try Folders.move(path(RestoredData.made), to: path(RestoredData.ready))
        if has(RestoredData.used) {
            try Folders.exchange(path(RestoredData.ready), with: path(RestoredData.used))
            try keepFormer()
        } else {
            try Folders.move(path(RestoredData.ready), to: path(RestoredData.used))
        }
    }

    /// Whether the data is this restoration's.
    private var isDone: Bool {
        let mark = try? DurableFile.read(path("\(RestoredData.used)/\(RestoredData.mark)"), limit: 256)
        return mark == Array(restoration.utf8)
    }

    /// After the exchange what was used before has the place of what was ready.
    private func keepFormer() throws {
        guard has(RestoredData.ready) else { return }
        try remove(RestoredData.before)
        try Folders.move(path(RestoredData.ready), to: path(RestoredData.before))
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
