/// Streams that wait for their turn, in memory that is used again and again.
struct StreamLine {
    private var streams: [Stream] = []
    private var first = 0

    init() { streams.reserveCapacity(16) }

    var isEmpty: Bool { first == streams.count }

    mutating func append(_ stream: Stream) { streams.append(stream) }

    mutating func removeAll(where isUnwanted: (Stream) -> Bool) {
        streams.removeSubrange(..<first)
        first = 0
        streams.removeAll(where: isUnwanted)
    }

    mutating func popFirst() -> Stream? {
        guard first < streams.count else { return nil }
        let stream = streams[first]
        first += 1
        if first == streams.count {
            streams.removeAll(keepingCapacity: true)
            first = 0
        } else if first >= 1024 {
            streams.removeSubrange(..<first)
            first = 0
        }
        return stream
    }
}
