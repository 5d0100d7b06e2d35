/// Moments, in seconds since 1970, as texts in UTC.
package enum UTC {
    /// The time of day as `HH:MM:SS`.
    package static func timeOfDay(_ unixTime: UInt64) -> String {
        let seconds = unixTime % 86400
        return [seconds / 3600, seconds / 60 % 60, seconds % 60].map { $0.digits(2) }.joined(separator: ":")
    }

    /// Date and time as in `2026-11-22T10:00:00` (RFC 3339 without a zone), to the last second of the year 9999.
    package static func dateAndTime(_ unixTime: UInt64) -> String {
        let seconds = min(unixTime, 253_402_300_799)
        let (year, month, day) = date(Int(seconds / 86400))
        return "\(year.digits(4))-\(month.digits(2))-\(day.digits(2))T\(timeOfDay(seconds))"
    }

    /// The date in the Gregorian calendar so many days after 1970 began, counted in years that begin in March.
    private static func date(_ days: Int) -> (year: Int, month: Int, day: Int) {
        let shifted = days + 719_468
        let (era, dayOfEra) = (shifted / 146_097, shifted % 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
    }
}
