import ClusterModel
import TendrilCore

/// What was wrong with a shoot when it was accepted: each problem by its rule, its place, and what stood there.
///
/// Pools are told apart by their names, for another place in their list is no change.
struct KnownProblems {
    private struct Fact: Hashable {
        let path: String
        let reason: String
        let value: JSONValue?
    }

    private static let workers = "spec.workers["

    private let facts: Set<Fact>

    /// Judges a shoot as it was accepted, by what holds everywhere.
    init(_ accepted: Shoot) { facts = Set(Self.facts(ShootRules.problems(accepted), of: accepted).map(\.1)) }

    /// Those of a shoot's problems that are not known, or are about another value than they were.
    func others(_ problems: [ConfigurationProblem], of shoot: Shoot) -> [ConfigurationProblem] {
        Self.facts(problems, of: shoot).filter { !facts.contains($0.1) }.map(\.0)
    }

    private static func facts(_ problems: [ConfigurationProblem], of shoot: Shoot) -> [(ConfigurationProblem, Fact)] {
        let document = try? CanonicalJSON.value(shoot)
        return problems.map { problem in
            // The whole is another one with every change.
            let value = problem.path == "spec" ? nil : document.flatMap { self.value(problem.path, in: $0) }
            return (problem, Fact(path: place(problem.path, shoot), reason: problem.reason, value: value))
        }
    }

    /// A path with a pool's name in the place of its number.
    private static func place(_ path: String, _ shoot: Shoot) -> String {
        guard path.hasPrefix(workers) else { return path }
        let number = path.dropFirst(workers.count).prefix { $0 != "]" }
        guard let index = Int(number), shoot.spec.workers.indices.contains(index) else { return path }
        return "\(workers)\(shoot.spec.workers[index].name)\(path.dropFirst(workers.count + number.count))"
    }

    /// What stands at a path such as `spec.workers[0].labels[example.com/a]`; `nil` where nothing does.
    private static func value(_ path: String, in document: JSONValue) -> JSONValue? {
        var value: JSONValue? = document
        var rest = path[...]
        while !rest.isEmpty, let here = value {
            guard rest.first == "[" else {
                if rest.first == "." { rest = rest.dropFirst() }
                let name = rest.prefix { $0 != "." && $0 != "[" }
                rest = rest.dropFirst(name.count)
                value = here[String(name)]
                continue
            }
            // A key may have dots and brackets of its own; it is the last step.
            guard let end = here.isObject ? rest.lastIndex(of: "]") : rest.firstIndex(of: "]") else { return nil }
            let step = rest[..<end].dropFirst()
            rest = rest[rest.index(after: end)...]
            if here.isObject {
                value = here[String(step)]
            } else {
                let items = here.items
                value = Int(step).flatMap { items.indices.contains($0) ? items[$0] : nil }
            }
        }
        return value
    }
}
