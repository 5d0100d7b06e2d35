package import TendrilCore

extension YAMLNode {
    /// Problems with the lines of what they are about, where that is a piece of this document.
    ///
    /// - Parameter problems: by paths such as `spec.workers[0].name`.
    /// - Returns: the same, with the lines in their reasons.
    package func locating(_ problems: [ConfigurationProblem]) -> [ConfigurationProblem] {
        var lines: [String: Int] = [:]
        note(&lines, at: "")
        return problems.map { problem in
            guard let line = lines[problem.path] else { return problem }
            return ConfigurationProblem(problem.path, "\(problem.reason) (line \(line))")
        }
    }

    private func note(_ lines: inout [String: Int], at path: String) {
        switch content {
        case .scalar: break
        case .sequence(let items):
            for (index, item) in items.enumerated() {
                lines["\(path)[\(index)]"] = item.line
                item.note(&lines, at: "\(path)[\(index)]")
            }
        case .mapping(let entries):
            for entry in entries {
                let inner = path.isEmpty ? entry.key : "\(path).\(entry.key)"
                lines[inner] = entry.line
                entry.value.note(&lines, at: inner)
            }
        }
    }
}
