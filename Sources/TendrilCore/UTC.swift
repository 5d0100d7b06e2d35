/// The time of day in UTC, for people.
package enum UTC {
    /// `HH:MM:SS` of a moment in seconds since 1970.
    package static func timeOfDay(_ unixTime: UInt64) -> String {
        let seconds = unixTime % 86400
        return [seconds / 3600, seconds / 60 % 60, seconds % 60].map { ($0 < 10 ? "0" : "") + "\($0)" }
            .joined(separator: ":")
    }
}
