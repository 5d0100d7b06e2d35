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

    /// Reports a single problem.
    package init(_ path: String, _ reason: String) { self.init([ConfigurationProblem(path, reason)]) }

    package var description: String { problems.map(\.description).joined(separator: "\n") }

    /// Does something; that it fails is a problem of a place, such as the flag or setting that names a file.
    package static func naming<Value>(_ path: String, _ body: () throws -> Value) throws(ConfigurationError) -> Value {
        do { return try body() } catch { throw ConfigurationError(path, "\(error)") }
    }
}

extension [ConfigurationProblem] {
    /// Notes what is wrong at a place.
    package mutating func add(_ path: String, _ reason: String) { append(ConfigurationProblem(path, reason)) }

    /// Notes what is wrong at a place where something that must hold does not.
    package mutating func require(_ holds: Bool, _ path: String, _ reason: @autoclosure () -> String) {
        if !holds { add(path, reason()) }
    }

    /// All of them in one line, for a condition or an answer.
    package var line: String { map(\.description).joined(separator: "; ") }
}
