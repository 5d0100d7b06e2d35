/// What a configuration may say of the log.
package enum LogChoice {
    /// From the most to the least that is said, as swift-log names them.
    package static let levels = ["trace", "debug", "info", "notice", "warning", "error", "critical"]
    package static let formats = ["text", "json"]

    /// What is wrong with the fields `logLevel` and `logFormat`, each of which may be left out.
    package static func problems(level: String?, format: String?) -> [ConfigurationProblem] {
        [("logLevel", level, levels), ("logFormat", format, formats)].compactMap { field, value, choices in
            guard let value, !choices.contains(value) else { return nil }
            return ConfigurationProblem(field, "is none of \(choices.joined(separator: ", "))")
        }
    }
}
