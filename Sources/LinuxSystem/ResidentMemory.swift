import CTendrilShims
import Glibc

/// What of this process lies in memory.
package enum ResidentMemory {
    /// Gives pages of the heap back that nothing is on any more: what came and went together leaves holes that glibc keeps.
    package static func releaseFreedHeap() { _ = tendril_trim_heap() }

    /// Unmaps the pages of program text that only starting up needed; what runs on is mapped again at its next use.
    ///
    /// Parsing arguments walks most of the program once, and for a daemon of a few working pages that would stay its
    /// largest piece of memory. Text is never changed, so that nothing is lost.
    package static func releaseProgramText() {
        guard let maps = try? DurableFile.read("/proc/self/maps") else { return }
        for line in String(decoding: maps, as: UTF8.self).split(separator: "\n") {
            // 7f00-7f10 r-xp 00000000 08:01 1234   /usr/bin/program
            let fields = line.split(separator: " ")
            guard fields.count == 6, fields[1] == "r-xp", fields[5].hasPrefix("/") else { continue }
            let bounds = fields[0].split(separator: "-").compactMap { UInt(String($0), radix: 16) }
            guard bounds.count == 2, bounds[0] < bounds[1] else { continue }
            madvise(UnsafeMutableRawPointer(bitPattern: bounds[0]), Int(bounds[1] - bounds[0]), CInt(MADV_DONTNEED))
        }
    }
}
