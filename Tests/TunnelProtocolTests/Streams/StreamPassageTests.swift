import TendrilCore
import TestSupport
import Testing
import TunnelProtocol

@Suite("A stream on its way to another lane")
struct StreamPassageTests {
    private func time(_ seconds: UInt64) -> MonotonicTime { MonotonicTime(nanoseconds: seconds * 1_000_000_000) }

    @Test("has ten seconds from the first loss on, however often it has to turn, until both sides agree")
    func time() {
        var passage = StreamPassage()
        #expect(!passage.isUnderWay && !passage.isOverdue(at: time(100)))
        passage.begin(at: time(1))
        passage.begin(at: time(8))
        #expect(passage.isUnderWay && !passage.isOverdue(at: time(10)) && passage.isOverdue(at: time(11)))
        passage.settle()
        #expect(!passage.isUnderWay && !passage.isOverdue(at: time(100)))
    }

    @Test("Answers count that are ones to the last word, while one is awaited")
    func answers() {
        var passage = StreamPassage()
        #expect(!passage.isAnswered(by: 0))
        passage.begin(at: time(1))
        passage.name(1)
        passage.name(2)
        #expect(passage.isAnswered(by: 2) && !passage.isAnswered(by: 1) && !passage.isAnswered(by: 3))
        passage.settle()
        #expect(!passage.isAnswered(by: 2))
    }

    @Test("A server ends where the client named it last, in whatever order the words come")
    func order() {
        for seed in 1...200 as ClosedRange<UInt64> {
            var random = SeededGenerator(seed: seed)
            var streams = [StreamPassage(), StreamPassage()]
            var words: [(number: UInt32, lane: Int, streams: [Int])] = []
            for lane in 0..<6 {
                // Those that are named together share a number, also where one of them has been named more often.
                let named = lane == 5 ? [0, 1] : [[0], [1], [0, 1]][Int.random(in: 0...2, using: &random)]
                let number = StreamPassage.nextNumber(of: named.map { streams[$0] })
                for stream in named { streams[stream].name(number) }
                words.append((number, lane, named))
            }
            var server = [StreamPassage(), StreamPassage()]
            var lanes = [-1, -1]
            for word in words.shuffled(using: &random) {
                for stream in word.streams where server[stream].follow(word.number) { lanes[stream] = word.lane }
            }
            #expect(lanes == [5, 5], "seed \(seed)")
        }
    }
}
