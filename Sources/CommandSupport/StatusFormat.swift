internal import ArgumentParser

/// How a program of a machine shows its status.
package enum StatusFormat: String, ExpressibleByArgument, CaseIterable, Sendable {
    case table
    case json
}
