internal import TendrilCore

/// Moments as the Kubernetes API writes them (RFC 3339, in UTC).
package enum KubernetesTime {
    /// `2026-11-22T10:00:00Z`, as in meta/v1 Time.
    package static func text(seconds: UInt64) -> String { "\(UTC.dateAndTime(seconds))Z" }

    /// `2026-11-22T10:00:00.000000Z`, as in meta/v1 MicroTime.
    package static func microText(seconds: UInt64) -> String { "\(UTC.dateAndTime(seconds)).000000Z" }

    /// Seconds since 1970; `nil` for anything but RFC 3339 between 1970 and 9999.
    ///
    /// Fractions are dropped.
    package static func seconds(_ text: String) -> UInt64? {
        let bytes = Array(text.utf8)
        guard bytes.count >= 20, bytes[4] == 0x2D, bytes[7] == 0x2D, [0x54, 0x74].contains(bytes[10]),
            bytes[13] == 0x3A,
            bytes[16] == 0x3A,
            let year = number(bytes[0..<4]), let month = number(bytes[5..<7]), let day = number(bytes[8..<10]),
            let hour = number(bytes[11..<13]), let minute = number(bytes[14..<16]), let second = number(bytes[17..<19]),
            year >= 1970, (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60, second <= 60
        else { return nil }
        let rest = bytes[19...].drop { $0 == 0x2E || $0.isDigit }
        guard let zone = offset(Array(rest)) else { return nil }
        let total = days(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - zone
        return total >= 0 ? UInt64(total) : nil
    }

    private static func number(_ digits: ArraySlice<UInt8>) -> Int? {
        guard digits.allSatisfy(\.isDigit) else { return nil }
        return digits.reduce(0) { $0 * 10 + Int($1) - 0x30 }
    }

    private static func offset(_ zone: [UInt8]) -> Int? {
        if zone == [0x5A] || zone == [0x7A] { return 0 }
        guard zone.count == 6, zone[3] == 0x3A, [0x2B, 0x2D].contains(zone[0]), let hours = number(zone[1..<3]),
            let minutes = number(zone[4..<6]), hours < 24, minutes < 60
        else { return nil }
        return (hours * 3600 + minutes * 60) * (zone[0] == 0x2D ? -1 : 1)
    }

    /// Days since 1970 of a date in the Gregorian calendar, counted in years that begin in March.
    private static func days(_ year: Int, _ month: Int, _ day: Int) -> Int {
        let year = month <= 2 ? year - 1 : year
        let (era, yearOfEra) = (year / 400, year % 400)
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }
}
