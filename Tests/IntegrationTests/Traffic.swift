import Foundation
import LinuxSystem
import TendrilCore

/// Streams with checksummed data both ways, by a thread each, until they are told to come to their end.
final class Traffic {
    private let counts: AtomicWords
    private let problems = Guarded<[String]>([])
    private let isClosing = AtomicWords(count: 1)
    private var threads: [TestThread] = []

    /// Opens streams to what sends everything back.
    ///
    /// - Parameters:
    ///   - streams: how many there are at a time.
    ///   - rounds: after how many exchanges each gives way to the next one; by default there is no next one.
    ///   - open: opens a stream, for the thread of this number.
    /// - Throws: where there is no thread.
    init(streams: Int, rounds: Int = .max, open: @escaping @Sendable (Int) throws -> Connection) throws {
        counts = AtomicWords(count: streams)
        let (counts, problems, isClosing) = (counts, problems, isClosing)
        for index in 0..<streams {
            let body = { @Sendable in
                do {
                    while isClosing.load(0) == 0 {
                        try Self.talk(try open(index), index, counts) {
                            $0 < rounds && (rounds < .max || isClosing.load(0) == 0)
                        }
                    }
                } catch {
                    problems.withLock { $0.append("\(index): \(error)") }
                }
            }
            threads.append(try TestThread(body))
        }
    }

    private static func talk(
        _ stream: Connection,
        _ index: Int,
        _ counts: AtomicWords,
        while isGoingOn: (Int) -> Bool
    ) throws {
        // A pattern that begins elsewhere each time, so that no byte can stand for another.
        let pattern = (0..<20_000).map { UInt8(truncatingIfNeeded: ($0 &* $0) / 7 &+ index) }
        var round = 0
        while isGoingOn(round) {
            let start = Int.random(in: 0..<10_000)
            try stream.exchange(Array(pattern[start..<(start + 9000)]))
            usleep(50_000)
            counts.add(1, at: index)
            round += 1
        }
        stream.endSending()
        guard try stream.receive(1) == [] else { throw LabError("no end") }
    }

    /// Lets no stream follow those that are open.
    func close() { isClosing.store(1, at: 0) }

    /// Waits until every stream has come to its end.
    func finish() {
        close()
        for thread in threads { thread.join() }
    }

    /// How many exchanges each thread has made.
    var rounds: [UInt64] { (0..<threads.count).map { counts.load($0) } }

    /// What has gone wrong, by the number of the thread.
    var failures: [String] { problems.withLock { $0 } }
}

/// A thread that is waited for.
final class TestThread {
    private var thread: WorkerThread?

    init(_ body: @escaping @Sendable () -> Void) throws { thread = try WorkerThread(name: "test", body) }

    func join() { if let thread = thread.take() { thread.join() } }
}
