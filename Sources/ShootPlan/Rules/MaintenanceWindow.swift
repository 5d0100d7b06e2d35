package import ClusterModel
internal import TendrilCore

/// When what its operator changes may reach a cluster that works: every day, in UTC (`spec.maintenance.timeWindow`).
package struct MaintenanceWindow: Hashable, Sendable {
    private static let minutesOfDay = 24 * 60
    /// A flow has to find its time in it.
    private static let shortest = 30

    /// Minutes since midnight.
    private let begin: Int
    /// Minutes after the beginning.
    private let length: Int

    /// The window of a shoot; `nil` where any time is good, or what is said is none.
    package init?(_ spec: Shoot.Spec) {
        guard let window = spec.maintenance?.timeWindow, let begin = Self.minutes(window.begin),
            let end = Self.minutes(window.end)
        else { return nil }
        self.begin = begin
        length = (end - begin + Self.minutesOfDay) % Self.minutesOfDay
    }

    /// Whether it is open at a time, in seconds since 1970.
    package func isOpen(at time: UInt64) -> Bool {
        let now = Int(time / 60 % UInt64(Self.minutesOfDay))
        return (now - begin + Self.minutesOfDay) % Self.minutesOfDay < length
    }

    /// What is wrong with a shoot's window.
    static func problems(_ spec: Shoot.Spec) -> [ConfigurationProblem] {
        guard let window = spec.maintenance?.timeWindow else { return [] }
        let path = "spec.maintenance.timeWindow"
        var problems: [ConfigurationProblem] = []
        for (field, text) in [("begin", window.begin), ("end", window.end)] where minutes(text) == nil {
            problems.add("\(path).\(field)", "is no time of a day such as 22:30")
        }
        if let own = MaintenanceWindow(spec), own.length < shortest {
            problems.add(path, "is shorter than \(shortest) minutes")
        }
        return problems
    }

    private static func minutes(_ text: String) -> Int? {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2,
            parts.allSatisfy({ $0.utf8.count == 2 && $0.utf8.allSatisfy(\.isDigit) }),
            let hour = Int(parts[0]), let minute = Int(parts[1]), hour < 24, minute < 60
        else { return nil }
        return hour * 60 + minute
    }
}
