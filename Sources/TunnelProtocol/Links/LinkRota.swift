/// In which order a client's links are asked to take a stream, without input or output of its own.
package struct LinkRota: Sendable {
    private var turn: UInt = 0

    package init() {}

    /// Orders links: those whose peers are about to end come behind all others, that with the fewest streams first, and each time
    /// another one among equals.
    ///
    /// - Parameters:
    ///   - links: are up.
    ///   - retiring: those whose peers are about to end.
    ///   - loads: how many streams each has; none where it is missing.
    /// - Returns: all of them.
    package mutating func order(_ links: [Int], retiring: Set<Int>, loads: [Int: UInt64]) -> [Int] {
        turn &+= 1
        let lasting = links.filter { !retiring.contains($0) }
        return ordered(lasting, by: loads) + ordered(links.filter(retiring.contains), by: loads)
    }

    private func ordered(_ links: [Int], by loads: [Int: UInt64]) -> [Int] {
        guard !links.isEmpty else { return [] }
        let first = Int(turn % UInt(links.count))
        // The order of equals is kept.
        return (links[first...] + links[..<first]).enumerated()
            .sorted { (loads[$0.element] ?? 0, $0.offset) < (loads[$1.element] ?? 0, $1.offset) }.map(\.element)
    }
}
