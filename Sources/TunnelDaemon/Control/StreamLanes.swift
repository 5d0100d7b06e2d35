import TunnelDataPlane

/// Which lanes of each link take streams, and which links' peers are about to end.
struct StreamLanes {
    /// The lanes' numbers by link and generation.
    private var numbers: [Int: [UInt64: Int]] = [:]
    private var retiring: Set<Int> = []
    private var turn = 0

    mutating func add(_ peer: LanePeer) { numbers[peer.link, default: [:]][peer.generation] = peer.lane }

    /// Forgets a lane that has ended, and with the last one of a link that its peer was about to end.
    mutating func remove(_ peer: LanePeer) {
        numbers[peer.link]?[peer.generation] = nil
        if numbers[peer.link]?.isEmpty != false { retiring.remove(peer.link) }
    }

    /// Notes that a link's peer is about to end.
    mutating func retire(_ link: Int) { retiring.insert(link) }

    /// Whether a link's peer is about to end, so that others go first.
    func isRetiring(_ link: Int) -> Bool { retiring.contains(link) }

    /// The number of the lane of a link whose turn it is to take a stream; `nil` where none takes any.
    mutating func next(of link: Int) -> Int? {
        guard let lanes = numbers[link], !lanes.isEmpty else { return nil }
        turn &+= 1
        let ordered = Set(lanes.values).sorted()
        return ordered[turn % ordered.count]
    }
}
