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
    /// - Throws: where the file cannot be read, is no YAML, or is none of the kind.
    init(_ path: String, _ definition: ResourceDefinition, over base: JSONValue = [:]) throws {
        document = base.merging(try YAMLParser.parse(try DurableFile.read(path == "-" ? "/dev/stdin" : path)).json)
        if let kind = document["kind"]?.text, kind != definition.kind {
            throw ConfigurationError("kind", "is \(kind), not \(definition.kind)")
        }
        let whole = definition.schema.fillingIn(document)
        object = try StrictDecoder.decode(Kind.self, from: try CanonicalJSON.bytes(whole))
    }
}

extension WrittenFile<Shoot> {
    /// Reads a Shoot; what is wrong with more than its name depends on what is there, and is told here only beside that.
    init(shoot path: String, project: String) throws {
        do {
            try self.init(path, try Shoot.definition(), over: ["metadata": ["namespace": .string(project)]])
            var problems = ShootRules.problems(object)
            if object.namespace != project {
                let reason = "is \(object.namespace), and the project is \(project): name it by --project"
                problems.add("metadata.namespace", reason)
            }
            let isNamed = !problems.contains { $0.path.hasPrefix("metadata.") }
            guard isNamed else { throw ConfigurationError(problems) }
        } catch {
            throw Failure(error, exitCode: .configuration)
        }
    }
}
