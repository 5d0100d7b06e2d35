import LinuxSystem
import NodeAgent
import NodePlan
import TestSupport

/// The moment at which everything stops.
struct Crash: Error {}

/// Counts down to the crash, over all layers.
final class CrashClock: @unchecked Sendable {
    /// The operation before which everything stops; `nil` for never.
    var stopBefore: Int?
    /// How it stops: by the end of the process, or by what the kernel answers.
    var failure: any Error = Crash()
    private(set) var count = 0

    func tick() throws {
        if let stopBefore, count >= stopBefore { throw failure }
        count += 1
    }

    func restart() { (stopBefore, count) = (nil, 0) }
}

/// A file system in memory that knows what a power failure would leave: content is durable after a sync of the file,
/// names after a sync of their directory.
final class MemoryFiles: FileLayer, @unchecked Sendable {
    final class Inode {
        var content: [UInt8]
        var durable: [UInt8]?
        var mode: UInt32
        init(_ content: [UInt8], mode: UInt32, durable: [UInt8]?) {
            (self.content, self.mode, self.durable) = (content, mode, durable)
        }
    }

    /// What a crash leaves.
    enum Loss: CaseIterable, Sendable {
        /// The process is gone, the machine runs on.
        case none
        /// Everything that was not synced is gone.
        case all
        /// Of what was not synced, some is there and some is not, and files are cut.
        case some
    }

    let clock: CrashClock
    private(set) var names: [String: Inode] = [:]
    private var durableNames: [String: Inode] = [:]

    init(_ clock: CrashClock) { self.clock = clock }

    /// Puts a file there that was there before us.
    func place(_ path: String, _ text: String, mode: UInt32 = 0o644) {
        let inode = Inode(Array(text.utf8), mode: mode, durable: Array(text.utf8))
        (names[path], durableNames[path]) = (inode, inode)
    }

    func crash(_ loss: Loss, using generator: inout SeededGenerator) {
        clock.restart()
        guard loss != .none else { return }
        var left: [String: Inode] = [:]
        for path in Set(names.keys).union(durableNames.keys).sorted() {
            let isNew = loss == .some && Bool.random(using: &generator)
            guard let inode = isNew ? names[path] : durableNames[path] else { continue }
            let cut = Array(inode.content.prefix(Int.random(in: 0...inode.content.count, using: &generator)))
            let content = inode.durable ?? (loss == .some ? cut : [])
            left[path] = Inode(content, mode: inode.mode, durable: content)
        }
        (names, durableNames) = (left, left)
    }

    func text(_ path: String) -> String? { names[path].map { String(decoding: $0.content, as: UTF8.self) } }

    // MARK: - FileLayer

    func kind(_ path: String) throws -> ConfinedFiles.Kind { names[path].map { .file(mode: $0.mode) } ?? .absent }
    func read(_ path: String, limit: Int) throws -> [UInt8]? { names[path]?.content }
    func forEachChunk(of path: String, _ body: (UnsafeRawBufferPointer) -> Void) throws -> Bool {
        guard let inode = names[path] else { return false }
        inode.content.withUnsafeBytes(body)
        return true
    }
    func makeDirectories(for path: String) throws { try clock.tick() }

    func createTemporary(for path: String, _ content: [UInt8], mode: UInt32) throws {
        try clock.tick()
        names[temporary(path)] = Inode(content, mode: mode, durable: nil)
    }

    func copyTemporary(for path: String, from source: String, mode: UInt32) throws -> Bool {
        guard let inode = names[source] else { return false }
        try createTemporary(for: path, inode.content, mode: mode)
        return true
    }

    func syncTemporary(for path: String) throws {
        try clock.tick()
        let inode = names[temporary(path)]
        inode?.durable = inode?.content
    }

    func publish(_ path: String) throws {
        try clock.tick()
        names[path] = names.removeValue(forKey: temporary(path))
    }

    func remove(_ path: String) throws {
        try clock.tick()
        names[path] = nil
        names[temporary(path)] = nil
    }

    func removeTemporary(for path: String) throws {
        try clock.tick()
        names[temporary(path)] = nil
    }

    func syncDirectory(of path: String) throws {
        try clock.tick()
        let directory = self.directory(path)
        for name in Set(names.keys).union(durableNames.keys) where self.directory(name) == directory {
            durableNames[name] = names[name]
        }
    }

    func list(_ directory: String) throws -> [String] {
        names.keys.filter { self.directory($0) == directory }.map { String($0.dropFirst(directory.count + 1)) }
    }

    private func directory(_ path: String) -> Substring { path[..<(path.lastIndex(of: "/") ?? path.startIndex)] }
    private func temporary(_ path: String) -> String {
        directory(path) + "/." + path[path.index(after: path.lastIndex(of: "/") ?? path.startIndex)...] + ".tendril-new"
    }
}

/// Units in memory that remember with which files they were started; what they are themselves is what was read of it last.
final class MemoryUnits: UnitControl, @unchecked Sendable {
    struct Unit {
        var isActive = false
        var isEnabled = false
        /// What the unit and its triggers were when it was started last.
        var startedWith: [String: String] = [:]
    }

    private let clock: CrashClock
    private let files: MemoryFiles
    /// Which files a unit reads when it starts.
    var reads: [String: [String]] = [:]
    var units: [String: Unit] = [:]
    /// The files of the units themselves, as they were when systemd read them last.
    private var loaded: [String: [String: String]] = [:]

    init(_ clock: CrashClock, _ files: MemoryFiles) { (self.clock, self.files) = (clock, files) }

    /// The machine boots: what is enabled starts, all else does not run.
    func boot() {
        load()
        for name in units.keys {
            let isEnabled = units[name]?.isEnabled == true
            units[name]?.isActive = isEnabled
            units[name]?.startedWith = now(name)
        }
    }

    private func load() { for name in reads.keys { loaded[name] = now(name).filter { Self.isUnit($0.key) } } }

    private static func isUnit(_ path: String) -> Bool { path.hasPrefix(UnitName.directory + "/") }

    func isCurrent(_ name: String) -> Bool { units[name]?.isActive == true && units[name]?.startedWith == now(name) }

    func observe(_ names: [String]) throws -> [String: UnitReport] {
        Dictionary(
            uniqueKeysWithValues: names.map { name in
                let unit = units[name] ?? Unit()
                let active = unit.isActive ? "active" : "inactive"
                return (
                    name,
                    UnitReport(load: "loaded", active: active, sub: "", file: unit.isEnabled ? "enabled" : "disabled")
                )
            }
        )
    }

    func isAnswering() -> Bool { true }
    func reload() throws {
        try clock.tick()
        load()
    }

    func perform(_ verb: UnitVerb, _ unit: String) throws {
        try clock.tick()
        switch verb {
        // Both have systemd read all units anew (systemctl(1)).
        case .enable, .disable:
            units[unit, default: Unit()].isEnabled = verb == .enable
            load()
        case .stop: units[unit, default: Unit()].isActive = false
        case .start, .restart:
            // Starting what runs changes nothing.
            if verb == .start, units[unit]?.isActive == true { return }
            units[unit, default: Unit()].isActive = true
            // One that was never read is read now.
            let own = loaded[unit] ?? now(unit).filter { Self.isUnit($0.key) }
            loaded[unit] = own
            units[unit]?.startedWith = now(unit).filter { !Self.isUnit($0.key) }.merging(own) { $1 }
        }
    }

    private func now(_ name: String) -> [String: String] {
        var texts: [String: String] = [:]
        for path in reads[name] ?? [] { texts[path] = files.text(path) }
        return texts
    }
}
