import ClusterModel
import CommandSupport
import FoundationEssentials
import LinuxSystem
import ShootPlan
import StrictYAML
import TendrilCore

/// An object of one of our kinds as somebody wrote it.
struct WrittenFile<Kind: KubernetesObject> {
    /// With everything that it leaves out.
    let object: Kind
    /// As it is written: what it leaves out it leaves to others.
    let document: JSONValue

    /// Reads a file and fills in what it leaves out.
    ///
    /// - Parameters:
    ///   - path: `-` is standard input.
    ///   - definition: the kind's, which knows the defaults.
    ///   - base: what the document has where it says nothing else.
    ///   - withLimits: whether the schema's limits are judged; those that were accepted once may be forgiven elsewhere.
    /// - Throws: where the file cannot be read, is no YAML, or has what the kind's schema does not take.
    init(_ path: String, _ definition: ResourceDefinition, over base: JSONValue = [:], withLimits: Bool) throws {
        let node = try YAMLParser.parse(try DurableFile.read(path == "-" ? "/dev/stdin" : path))
        document = base.merging(node.json)
        try Self.judge(node, is: definition)
        let whole = definition.schema.fillingIn(document)
        let problems = definition.schema.problems(in: whole, withLimits: withLimits)
        guard problems.isEmpty else { throw ConfigurationError(node.locating(problems)) }
        object = try StrictDecoder.decode(Kind.self, from: try CanonicalJSON.bytes(whole))
    }

    /// Refuses what no apply takes, and what is of another kind, or of another version of it.
    ///
    /// It would be sent to where the file says.
    private static func judge(_ node: YAMLNode, is definition: ResourceDefinition) throws(ConfigurationError) {
        let version = "\(definition.resource.group)/\(definition.resource.version)"
        let written = node.json
        var problems: [ConfigurationProblem] = []
        for (field, wanted) in [("apiVersion", version), ("kind", definition.kind)] {
            let given: JSONValue = written[field] ?? .null
            guard given != .string(wanted) else { continue }
            let reason = given == .null ? "is missing" : given.text.map { "is \($0)" } ?? "is no text"
            problems.add(field, "\(reason); it has to be \(wanted)")
        }
        if let fields = written["metadata"]?["managedFields"], fields != .null {
            problems.add("metadata.managedFields", "leave it out: an apply takes none")
        }
        guard problems.isEmpty else { throw ConfigurationError(node.locating(problems)) }
    }
}

extension WrittenFile<Shoot> {
    /// Reads a Shoot; what is wrong with more than its name depends on what is there, and is told here only beside that.
    init(shoot path: String, project: String) throws {
        do {
            let base: JSONValue = ["metadata": ["namespace": .string(project)]]
            try self.init(path, try Shoot.definition(), over: base, withLimits: false)
            var problems = ShootRules.problems(object)
            if object.namespace != project {
                let reason = "is \(object.namespace), and the project is \(project): name it by --project"
                problems.add("metadata.namespace", reason)
            }
            let isNamed = !problems.contains { $0.path.hasPrefix("metadata.") }
            guard isNamed else { throw ConfigurationError(problems) }
        } catch {
            throw Failure(error, in: path, exitCode: .configuration)
        }
    }
}
