internal import Glibc
package import Logging
internal import TendrilCore

/// How log lines look.
package enum LogFormat: String, CaseIterable, Sendable {
    case text
    case json
}

/// Writes log lines to standard error; what a message carries cannot break its line.
package struct LogOutput: LogHandler {
    package var logLevel: Logger.Level
    package var metadata: Logger.Metadata = [:]
    private let label: String
    private let format: LogFormat
    private let recent: RecentLines?
    private let sink: LogSink

    /// Makes a log that also keeps its last lines, where `recent` is given.
    package init(
        label: String,
        level: Logger.Level,
        format: LogFormat,
        recent: RecentLines? = nil,
        sink: LogSink = .standardError
    ) {
        self.recent = recent
        self.sink = sink
        self.label = label
        logLevel = level
        self.format = format
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        let untold = sink.untold
        var merged = metadata.merging(event.metadata ?? [:]) { $1 }.sorted { $0.key < $1.key }
        if untold > 0 { merged.append((key: "lines-lost", value: "\(untold)")) }
        let line =
            switch format {
            case .text: text(event, merged)
            case .json: json(event, merged)
            }
        recent?.add(line)
        sink.write(line, telling: untold)
    }

    private func text(_ event: LogEvent, _ metadata: [(key: String, value: Logger.Metadata.Value)]) -> String {
        let level = event.level.rawValue.uppercased()
        let padded = level + String(repeating: " ", count: max(0, 7 - level.count))
        let pairs = metadata.map { " \($0.key)=\(Self.quoted("\($0.value)"))" }.joined()
        return "\(Timestamp.now()) \(padded) \(label): \(event.message)\(pairs)"
    }

    private func json(_ event: LogEvent, _ metadata: [(key: String, value: Logger.Metadata.Value)]) -> String {
        var fields = [
            ("time", Timestamp.now()), ("level", event.level.rawValue), ("program", label),
            ("message", "\(event.message)"),
        ]
        fields += metadata.map { ($0.key, "\($0.value)") }
        return "{" + fields.map { "\(JSONText.quoted($0)):\(JSONText.quoted($1))" }.joined(separator: ",") + "}"
    }

    private static func quoted(_ text: String) -> String {
        let isPlain = !text.isEmpty && text.utf8.allSatisfy { $0.isVisible && $0 != 0x22 && $0 != 0x5C }
        return isPlain ? text : JSONText.quoted(text)
    }
}

/// Strings as JSON has them (RFC 8259 section 7).
enum JSONText {
    static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\u{00}"..."\u{1F}", "\u{7F}"..."\u{9F}", "\u{2028}", "\u{2029}":
                result += "\\u" + scalar.value.digits(4, radix: 16)
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}

/// The time now, as RFC 3339 with milliseconds in UTC.
package enum Timestamp {
    package static func now() -> String {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        let moment = UTC.dateAndTime(UInt64(max(time.tv_sec, 0)))
        return "\(moment).\((time.tv_nsec / 1_000_000).digits(3))Z"
    }
}
