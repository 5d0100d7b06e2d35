/// One place in a document, or one flag, and what is wrong there.
package struct ConfigurationProblem: Error, Hashable, Sendable, CustomStringConvertible {
    /// Such as `spec.files[2].mode` or `--network`; empty for the document as a whole.
    package let path: String
    package let reason: String

    package init(_ path: String, _ reason: String) { (self.path, self.reason) = (path, reason) }

    package var description: String { path.isEmpty ? reason : "\(path): \(reason)" }
}

/// Everything that is wrong with a configuration, reported together; trying again cannot help.
package struct ConfigurationError: Error, Hashable, Sendable, CustomStringConvertible {
    package let problems: [ConfigurationProblem]

    package init(_ problems: [ConfigurationProblem]) { self.problems = problems }

    package var description: String { problems.map(\.description).joined(separator: "\n") }
}

extension [ConfigurationProblem] {
    /// All of them in one line, for a condition or an answer.
    package var line: String { map(\.description).joined(separator: "; ") }
}
