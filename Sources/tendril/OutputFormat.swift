import ArgumentParser
import ClusterModel

/// How results are printed.
enum OutputFormat: String, ExpressibleByArgument, CaseIterable {
    case table
    case json
    case yaml

    /// A value in this format; `table` is made only where it is wanted.
    func text(_ value: some Encodable, table: () -> String) throws -> String {
        switch self {
        case .table: table() + "\n"
        case .json: try CanonicalJSON.text(value) + "\n"
        case .yaml: try YAMLText.text(try CanonicalJSON.value(value))
        }
    }
}
