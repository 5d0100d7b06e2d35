import ClusterModel
import FoundationEssentials
import HTTPModel
import TendrilCore

/// The objects of an API server by their paths; a value, so that a copy of it is the server as it was at that moment.
struct MemoryObjects: Sendable {
    /// What is there.
    private(set) var documents: [String: JSONValue] = [:]
    private var version = 0
    /// What is there of an object besides what was said: defaults, and what controllers do at once.
    private let complete: @Sendable (JSONValue) -> JSONValue

    init(complete: @escaping @Sendable (JSONValue) -> JSONValue = { $0 }) { self.complete = complete }

    /// The document at a path; whoever sets it does what no request does.
    subscript(_ path: String) -> JSONValue? {
        get { documents[path] }
        set { documents[path] = newValue }
    }

    /// Takes everything away that is in a namespace, and the namespace.
    mutating func removeNamespace(_ name: String) {
        let part = "/namespaces/\(name)"
        documents = documents.filter { !$0.key.hasSuffix(part) && !$0.key.contains(part + "/") }
    }

    /// Answers as an API server does.
    ///
    /// - Parameters:
    ///   - request: what is asked.
    ///   - path: of its URL, without the query.
    ///   - query: of its URL; empty for none.
    ///   - body: of the request.
    /// - Returns: the answer.
    mutating func answer(_ request: HTTPRequest, _ path: String, query: String, _ body: JSONValue) -> HTTPResponse {
        switch request.method {
        case .get where !query.isEmpty: return Self.response(collection(path, query))
        case .get: return documents[path].map(Self.response) ?? HTTPResponse(status: 404)
        case .post:
            let name =
                body["metadata"]?["name"]?.text ?? "\(body["metadata"]?["generateName"]?.text ?? "")\(version + 1)"
            return store(body, at: "\(path)/\(name)", isNew: true)
        case .put: return store(body, at: path, isNew: false)
        case .patch:
            let object = path.hasSuffix("/status") ? String(path.dropLast("/status".count)) : path
            let isApplied = request.headers.contains { $0.value == "application/apply-patch+yaml" }
            if documents[object] == nil, !isApplied { return HTTPResponse(status: 404) }
            let present = documents[object] ?? [:]
            return store(isApplied ? Self.applied(present, body) : Self.patched(present, body), at: object, isNew: nil)
        case .delete: return remove(path)
        }
    }

    private mutating func remove(_ path: String) -> HTTPResponse {
        guard let present = documents[path] else { return HTTPResponse(status: 404) }
        guard !(present["metadata"]?["finalizers"]?.items ?? []).isEmpty else {
            documents[path] = nil
            return HTTPResponse(status: 200)
        }
        return store(present.merging(["metadata": ["deletionTimestamp": "2026-01-01T00:00:00Z"]]), at: path, isNew: nil)
    }

    private mutating func store(_ document: JSONValue, at path: String, isNew: Bool?) -> HTTPResponse {
        let present = documents[path]
        if isNew == true, present != nil { return HTTPResponse(status: 409) }
        if isNew == false, present == nil { return HTTPResponse(status: 404) }
        let known = present?["metadata"]?["resourceVersion"]
        if let given = document["metadata"]?["resourceVersion"], given != known { return HTTPResponse(status: 409) }
        let bare = present.map(Self.withoutVersion) ?? .null
        let wanted = complete(Self.counted(Self.withoutVersion(document), since: bare))
        // What changes nothing is no new version.
        if let present, wanted == bare { return Self.response(present) }
        version += 1
        let stored = wanted.merging(["metadata": ["resourceVersion": .string("\(version)")]])
        let isGone =
            stored["metadata"]?["deletionTimestamp"] != nil
            && (stored["metadata"]?["finalizers"]?.items ?? []).isEmpty
        documents[path] = isGone ? nil : stored
        return Self.response(stored)
    }

    /// An object with its generation, which counts what is wanted of it; Services have none.
    private static func counted(_ document: JSONValue, since before: JSONValue) -> JSONValue {
        guard let spec = document["spec"], document["kind"]?.text != "Service" else { return document }
        guard case .integer(let last) = before["metadata"]?["generation"] else {
            return document.merging(["metadata": ["generation": document["metadata"]?["generation"] ?? 1]])
        }
        let isSame =
            spec == before["spec"]
            && document["metadata"]?["deletionTimestamp"] == before["metadata"]?["deletionTimestamp"]
        return document.merging(["metadata": ["generation": .integer(isSame ? last : last + 1)]])
    }

    private static func withoutVersion(_ document: JSONValue) -> JSONValue {
        patched(document, ["metadata": ["resourceVersion": .null]])
    }

    // MARK: - Lists

    /// The objects of a path, in all namespaces where it names none.
    private func collection(_ path: String, _ query: String) -> JSONValue {
        let label = Self.selector(query)
        let items = documents.filter { key, document in
            guard let slash = key.lastIndex(of: "/") else { return false }
            let folder = String(key[..<slash])
            guard folder == path || Self.withoutNamespace(folder) == path else { return false }
            guard Self.hasType(document, query) else { return false }
            guard let label else { return true }
            guard let value = document["metadata"]?["labels"]?[label.name]?.text else { return false }
            return label.value.map { $0 == value } ?? true
        }
        return ["metadata": [:], "items": .array(items.sorted { $0.key < $1.key }.map(\.value))]
    }

    private static func withoutNamespace(_ folder: String) -> String? {
        let parts = folder.split(separator: "/", omittingEmptySubsequences: false)
        guard let index = parts.firstIndex(of: "namespaces"), parts.count > index + 2 else { return nil }
        return (parts[..<index] + parts[(index + 2)...]).joined(separator: "/")
    }

    /// Whether a document is of the type that a query selects by, or of none but that.
    private static func hasType(_ document: JSONValue, _ query: String) -> Bool {
        let name = "fieldSelector=type"
        guard let part = query.split(separator: "&").first(where: { $0.hasPrefix(name) }) else { return true }
        let codes = [("%2F", "/"), ("%21", "!"), ("%3D", "=")]
        let choice = codes.reduce(String(part.dropFirst(name.count))) { $0.replacing($1.0, with: $1.1) }
        let isSame = document["type"]?.text == String(choice.drop { "!=".contains($0) })
        return choice.hasPrefix("!") != isSame
    }

    /// The one label that a query selects by, with its value where that matters, too.
    private static func selector(_ query: String) -> (name: String, value: String?)? {
        for part in query.split(separator: "&") where part.hasPrefix("labelSelector=") {
            let text = part.dropFirst("labelSelector=".count)
            let parts = text.replacing("%2F", with: "/").split(separator: "%3D", maxSplits: 1).map(String.init)
            return parts.first.map { ($0, parts.count > 1 ? parts[1] : nil) }
        }
        return nil
    }

    // MARK: - Changes

    /// RFC 7396.
    static func patched(_ old: JSONValue, _ change: JSONValue) -> JSONValue {
        guard case .object(let changes) = change else { return change }
        var fields: [String: JSONValue] = [:]
        if case .object(let present) = old { fields = present }
        for (name, value) in changes { fields[name] = value == .null ? nil : patched(fields[name] ?? .null, value) }
        return .object(fields)
    }

    /// What one owner of everything says: a part that is said takes the place of what it was.
    private static func applied(_ old: JSONValue, _ wanted: JSONValue) -> JSONValue {
        guard case .object(let present) = old, case .object(let parts) = wanted else { return wanted }
        let metadata = patched(present["metadata"] ?? [:], parts["metadata"] ?? [:])
        return .object(present.merging(parts) { $1 }.merging(["metadata": metadata]) { $1 })
    }

    private static func response(_ document: JSONValue) -> HTTPResponse {
        HTTPResponse(status: 200, body: (try? CanonicalJSON.bytes(document)) ?? [])
    }
}

extension JSONValue {
    /// The document that bytes are; nothing where they are none.
    init(bytes: [UInt8]) { self = (try? JSONDecoder().decode(JSONValue.self, from: Data(bytes))) ?? .null }
}
