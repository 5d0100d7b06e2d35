internal import ClusterModel
internal import TendrilCore

/// Compares this machine's clock with a server's.
package enum ServerClock {
    /// How far clocks may be apart, in minutes.
    package static let tolerance = 5

    /// By how many minutes this clock is ahead of (or, negative, behind) the one of a Date header (RFC 9110 section
    /// 5.6.7); `nil` where that is little, or not known.
    package static func error(_ header: String?, at now: UInt64) -> Int? {
        guard let header, let server = seconds(header) else { return nil }
        let minutes = (Int(clamping: now) - server) / 60
        return abs(minutes) >= tolerance ? minutes : nil
    }

    /// Seconds since 1970 of `Sun, 06 Nov 1994 08:49:37 GMT`.
    static func seconds(_ header: String) -> Int? {
        let parts = header.split(separator: " ")
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        guard parts.count == 6, parts[5] == "GMT", let month = months.firstIndex(of: String(parts[2])) else {
            return nil
        }
        let date = "\(parts[3])-\((month + 1).digits(2))-\(parts[1])"
        return KubernetesTime.seconds("\(date)T\(parts[4])Z").map { Int($0) }
    }
}
