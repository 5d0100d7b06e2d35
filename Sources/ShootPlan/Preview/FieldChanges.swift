import ClusterModel
import TendrilCore

/// A change, field by field: by that it is told from which of them something follows.
struct FieldChanges<Whole: Codable> {
    /// A field that is another one.
    private struct Field {
        let path: String
        /// What was there, with nothing else changed.
        let alone: Whole
    }

    private let new: Whole
    private let fields: [Field]

    /// Compares.
    ///
    /// - Parameters:
    ///   - old: what was there.
    ///   - new: what is wanted.
    ///   - path: what stands before the fields' names.
    /// - Throws: where a value cannot be encoded.
    init(from old: Whole, to new: Whole, at path: [String] = []) throws {
        let (before, after) = (try CanonicalJSON.value(old), try CanonicalJSON.value(new))
        self.new = new
        fields = try before.differences(after).map { keys in
            let alone = before.taking(keys[...], from: after)
            return Field(path: (path + keys).joined(separator: "."), alone: try alone.decoded(as: Whole.self))
        }
    }

    /// All fields that are others.
    var all: [String] { fields.map(\.path) }

    /// The fields from each of which something follows.
    func paths(_ follows: (Whole) throws -> Bool) rethrows -> [String] {
        try fields.filter { try follows($0.alone) }.map(\.path)
    }

    /// Why something follows from the change.
    ///
    /// - Parameter follows: whether it follows from what is wanted instead of what was there.
    /// - Returns: the fields from each of which it follows, or all of them where only several together lead to it; `nil` where it
    ///   does not follow.
    func reason(_ follows: (Whole) throws -> Bool) rethrows -> String? {
        guard try follows(new) else { return nil }
        let found = try paths(follows)
        return (found.isEmpty ? all : found).joined(separator: ", ")
    }
}

extension JSONValue {
    /// The ways to what is another one in an object and in the objects in it, by their keys.
    fileprivate func differences(_ other: JSONValue) -> [[String]] {
        changedKeys(other).flatMap { key -> [[String]] in
            guard let mine = self[key], let its = other[key], mine.isObject, its.isObject else { return [[key]] }
            return mine.changedKeys(its).map { [key, $0] }
        }
    }

    private func changedKeys(_ other: JSONValue) -> [String] {
        guard case .object(let mine) = self, case .object(let its) = other else { return [] }
        return Set(mine.keys).union(its.keys).filter { mine[$0] != its[$0] }.sorted()
    }

    /// This object with what another one has at the end of a way, or without it where that has nothing there.
    fileprivate func taking(_ keys: ArraySlice<String>, from other: JSONValue) -> JSONValue {
        guard let key = keys.first, case .object(var fields) = self else { return other }
        fields[key] = other[key].map { (fields[key] ?? [:]).taking(keys.dropFirst(), from: $0) }
        return .object(fields)
    }
}
