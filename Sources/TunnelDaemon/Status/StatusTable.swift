import ClusterModel
import TendrilCore

/// The status as a table for people.
package enum StatusTable {
    /// Renders a report for a terminal of any width; what is not printable ASCII in it, such as a peer's escape sequences, is
    /// replaced.
    ///
    /// - Parameters:
    ///   - report: what a daemon told.
    ///   - count: how many of the last log lines are shown.
    ///   - now: in seconds since 1970.
    /// - Returns: the text.
    package static func text(_ report: StatusReport, lines count: Int = 0, at now: UInt64) -> String {
        let expiry = KubernetesTime.text(seconds: report.certificateExpiry)
        var lines = [
            "\(report.identity)  \(report.linksLive) of \(report.linksExpected) links live",
            "certificate: \(report.certificateExpiry < now ? "expired at" : "valid until") \(expiry)", "",
        ]
        lines += columns(
            [["LINK", "ENDPOINT", "STATE", "LANE", "UP", "RTT", "QUEUE", "WAIT", "SEND", "RECEIVE", "RETRANS"]]
                + report.links.flatMap(rows)
        )
        for link in report.links {
            if let error = link.lastError { lines += ["", "\(link.name): last error: \(error)"] }
        }
        if let nodes = report.nodes { lines += ["", "Nodes: \(nodes)"] }
        if !report.drops.isEmpty {
            let drops = report.drops.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
            lines += ["", "dropped: " + drops.joined(separator: ", ")]
        }
        let streams = report.streams
        lines += ["", "streams: \(streams.active) active, \(streams.opened) opened, \(streams.resumed) resumed"]
        if !streams.refused.isEmpty {
            let refused = streams.refused.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
            lines += ["refused: " + refused.joined(separator: ", ")]
        }
        if count > 0 { lines += ["", "last log lines:"] + report.log.suffix(count) }
        if let error = report.lastError { lines += ["", "last error: \(error)"] }
        return lines.lazy.map { PrintableText.make($0.utf8) }.joined(separator: "\n")
    }

    private static func rows(_ link: StatusReport.Link) -> [[String]] {
        guard !link.lanes.isEmpty else {
            let endpoint = link.endpoint.isEmpty ? "-" : link.endpoint
            return [[link.name, endpoint, link.state] + Array(repeating: "-", count: 8)]
        }
        return link.lanes.map { lane in
            [
                link.name, lane.address, link.state, "\(lane.lane)", duration(lane.upSeconds),
                "\(decimal(lane.roundTrip, per: 1000)) ms", bytes(lane.queueBytes),
                "\(decimal(lane.queueSojourn, per: 1000)) ms", "\(bits(lane.sendRate))", "\(bits(lane.receiveRate))",
                "\(lane.retransmits)",
            ]
        }
    }

    private static func columns(_ rows: [[String]]) -> [String] {
        let widths = (0..<(rows.first?.count ?? 0)).map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            let cells = zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }
            let line = cells.joined(separator: "  ")
            return String(line.prefix(line.count - line.reversed().prefix { $0 == " " }.count))
        }
    }

    private static func duration(_ seconds: UInt64) -> String {
        switch seconds {
        case ..<120: "\(seconds)s"
        case ..<7200: "\(seconds / 60)m"
        case ..<172_800: "\(seconds / 3600)h"
        default: "\(seconds / 86400)d"
        }
    }

    private static func bytes(_ count: UInt64) -> String {
        count < 10_240 ? "\(count) B" : count < 10_485_760 ? "\(count / 1024) KiB" : "\(count / 1_048_576) MiB"
    }

    /// Bytes per second as bits per second.
    private static func bits(_ rate: UInt64) -> String {
        let bits = min(rate, .max / 8) * 8
        if bits < 10_000 { return "\(bits) bit/s" }
        if bits < 1_000_000 { return "\(bits / 1000) kbit/s" }
        if bits < 1_000_000_000 { return "\(decimal(bits, per: 1_000_000)) Mbit/s" }
        return "\(decimal(bits, per: 1_000_000_000)) Gbit/s"
    }

    private static func decimal(_ value: UInt64, per unit: UInt64) -> String {
        "\(value / unit).\(value % unit * 10 / unit)"
    }
}
