import CTendrilShims
import TendrilCore

/// The end of a service whose threads are Swift's: their main thread waits for signals with none blocked, so that nobody
/// else can read them, and the first process of a container loses those that nobody takes.
package enum EndSignal {
    /// How often it is looked for.
    private static let period = Nanoseconds.milliseconds(200)

    /// Takes note of SIGTERM and SIGINT from here on.
    package static func expect() { tendril_catch_signals() }

    /// Whether one came.
    package static var hasCome: Bool { tendril_caught_signal() != 0 }

    /// Waits for one, or for something else that ends the service.
    package static func wait(or isOver: () -> Bool = { false }) async {
        while !hasCome, !isOver() { try? await Task.sleep(period) }
    }
}
