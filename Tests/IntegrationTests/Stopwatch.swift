import Foundation
import LinuxSystem
import TendrilCore

/// Measures how long something takes, without what a machine that is shared takes from everybody on it.
///
/// A thread that does nothing but sleep for a hundredth of a second, again and again, comes late where others have the processors;
/// what it is late by is no fault of what is measured.
final class Stopwatch: @unchecked Sendable {
    private static let step: UInt64 = 10_000_000

    /// What the threads tell each other.
    private enum Word: Int {
        /// The nanoseconds by which all sleeps together were too long.
        case late
        /// When the sleep began that goes on.
        case asleepSince
        case isOver
    }

    private let begin = Clock.now()
    private let words: AtomicWords
    private let thread: TestThread

    /// Starts to measure.
    ///
    /// - Throws: where there is no thread.
    init() throws {
        let words = AtomicWords(count: 3)
        words.store(begin.nanoseconds, at: Word.asleepSince.rawValue)
        self.words = words
        thread = try TestThread {
            while words.load(Word.isOver.rawValue) == 0 {
                usleep(UInt32(Self.step / 1000))
                let now = Clock.now()
                words.add(Self.lateness(words, at: now), at: Word.late.rawValue)
                words.store(now.nanoseconds, at: Word.asleepSince.rawValue)
            }
        }
    }

    deinit {
        words.store(1, at: Word.isOver.rawValue)
        thread.join()
    }

    /// By how much the sleep that goes on is too long already.
    private static func lateness(_ words: AtomicWords, at now: MonotonicTime) -> UInt64 {
        let slept = now.since(MonotonicTime(nanoseconds: words.load(Word.asleepSince.rawValue))).value
        return slept > step ? slept - step : 0
    }

    /// The seconds that have passed, but for those that the machine gave nobody.
    var seconds: Double {
        let now = Clock.now()
        let (passed, lost) = (now.since(begin).value, words.load(Word.late.rawValue) + Self.lateness(words, at: now))
        return Double(passed > lost ? passed - lost : 0) / 1e9
    }
}
