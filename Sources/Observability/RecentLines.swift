internal import LinuxSystem

/// The last lines of a log, for whoever asks when something is wrong.
package final class RecentLines: Sendable {
    private let kept = Guarded<(lines: [String], next: Int)>(([], 0))
    private let limit: Int

    /// Keeps at most `limit` lines.
    package init(limit: Int = 200) { self.limit = limit }

    /// Keeps one more line, in the place of the oldest.
    package func add(_ line: String) {
        kept.withLock { kept in
            if kept.lines.count < limit {
                kept.lines.append(line)
            } else {
                kept.lines[kept.next] = line
                kept.next = (kept.next + 1) % limit
            }
        }
    }

    /// The lines, the oldest first.
    package var lines: [String] { kept.withLock { Array($0.lines[$0.next...] + $0.lines[..<$0.next]) } }
}
