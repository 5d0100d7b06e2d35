internal import LinuxSystem
package import TendrilCore

/// When which certificate was renewed last.
///
/// By a clock that is far off a new one is due as soon as it has come; nobody renews it all the time for that.
package struct Renewals: Sendable {
    private static let pause = Nanoseconds.seconds(3600)
    private let last = Guarded<[String: MonotonicTime]>([:])

    package init() {}

    /// Whether the certificate at a path was renewed within the last hour.
    package func isRecent(_ path: String, at now: MonotonicTime = Clock.now()) -> Bool {
        last.withLock { $0[path] }.map { now.since($0) < Self.pause } ?? false
    }

    /// Notes that the certificate at a path was renewed.
    package func note(_ path: String, at now: MonotonicTime = Clock.now()) { last.withLock { $0[path] = now } }
}
