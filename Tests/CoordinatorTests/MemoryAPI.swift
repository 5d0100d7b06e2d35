import ClusterModel
import FoundationEssentials
import HTTPModel
import KubernetesClient
import LinuxSystem
import TendrilCore

/// An API server of few words: it keeps documents by their paths, and answers otherwise where a test wants that.
final class MemoryAPI: HTTPTransport {
    private struct State {
        var documents: [String: JSONValue] = [:]
        var version = 0
        var log: [(request: String, body: JSONValue)] = []
    }

    private let state = Guarded(State())
    /// What is answered instead; `nil` for what is there.
    private let fault: @Sendable (HTTPRequest) -> HTTPResponse?

    init(_ fault: @escaping @Sendable (HTTPRequest) -> HTTPResponse? = { _ in nil }) { self.fault = fault }

    var client: KubernetesClient {
        KubernetesClient(
            servers: ["https://api"],
            security: HTTPSecurity(trust: .system),
            transport: self,
            agent: "test"
        )
    }

    /// The document at a path.
    subscript(_ path: String) -> JSONValue? {
        get { state.withLock { $0.documents[path] } }
        set { state.withLock { $0.documents[path] = newValue } }
    }

    /// Puts an object there.
    func put<Object: KubernetesObject>(_ object: Object) throws {
        let path = Object.resource.path(namespace: object.metadata.namespace, name: object.metadata.name ?? "")
        self[path] = try CanonicalJSON.value(object)
    }

    /// The object that is there.
    func find<Object: KubernetesObject>(_ type: Object.Type, _ name: String, namespace: String? = nil) throws
        -> Object?
    {
        try self[Object.resource.path(namespace: namespace, name: name)].map {
            try JSONDecoder().decode(Object.self, from: JSONEncoder().encode($0))
        }
    }

    /// The bodies of all requests that begin so, such as `PATCH /api/v1/nodes/`.
    func bodies(_ start: String) -> [JSONValue] {
        state.withLock { $0.log.filter { $0.request.hasPrefix(start) }.map(\.body) }
    }

    func send(_ request: HTTPRequest, _ security: HTTPSecurity) async throws(TransferError) -> HTTPResponse {
        let parts = request.url.dropFirst("https://api".count).split(separator: "?", maxSplits: 1).map(String.init)
        let (path, isList) = (parts[0], request.method == .get && parts.count > 1)
        let body = (try? JSONDecoder().decode(JSONValue.self, from: Data(request.body))) ?? .null
        state.withLock { $0.log.append(("\(request.method.rawValue) \(path)", body)) }
        if let response = fault(request) { return response }
        return state.withLock { state in
            isList
                ? Self.response(Self.collection(path, state.documents))
                : Self.answer(request, path, body, &state)
        }
    }

    func stream(
        _ request: HTTPRequest,
        _ security: HTTPSecurity,
        receive: @escaping @Sendable (UnsafeRawBufferPointer) -> Bool
    ) async throws(TransferError) -> HTTPResponse {
        throw TransferError(.connect, url: request.url, reason: "nothing is watched here")
    }

    private static func answer(
        _ request: HTTPRequest,
        _ path: String,
        _ body: JSONValue,
        _ state: inout State
    ) -> HTTPResponse {
        switch request.method {
        case .get:
            return state.documents[path].map(response) ?? HTTPResponse(status: 404)
        case .post:
            state.version += 1
            let name =
                body["metadata"]?["name"]?.text ?? "\(body["metadata"]?["generateName"]?.text ?? "")\(state.version)"
            return store(body, at: "\(path)/\(name)", isNew: true, &state)
        case .put: return store(body, at: path, isNew: false, &state)
        case .patch:
            let object = path.hasSuffix("/status") ? String(path.dropLast("/status".count)) : path
            let isApplied = request.headers.contains { $0.value == "application/apply-patch+yaml" }
            let present = state.documents[object] ?? [:]
            let changed = isApplied ? applied(present, body) : patched(present, body)
            return store(changed, at: object, isNew: nil, &state)
        case .delete: return HTTPResponse(status: state.documents.removeValue(forKey: path) == nil ? 404 : 200)
        }
    }

    private static func store(_ document: JSONValue, at path: String, isNew: Bool?, _ state: inout State)
        -> HTTPResponse
    {
        let present = state.documents[path]
        if isNew == true, present != nil { return HTTPResponse(status: 409) }
        if isNew == false, present == nil { return HTTPResponse(status: 404) }
        let known = present?["metadata"]?["resourceVersion"]
        if isNew == false, let given = document["metadata"]?["resourceVersion"], given != known {
            return HTTPResponse(status: 409)
        }
        state.version += 1
        let stored = document.merging(["metadata": ["resourceVersion": .string("\(state.version)")]])
        state.documents[path] = stored
        return response(stored)
    }

    /// The objects right below a path.
    private static func collection(_ path: String, _ documents: [String: JSONValue]) -> JSONValue {
        let items = documents.filter { key, _ in
            key.hasPrefix(path + "/") && !key.dropFirst(path.count + 1).contains("/")
        }
        return ["metadata": [:], "items": .array(items.sorted { $0.key < $1.key }.map(\.value))]
    }

    /// RFC 7396.
    private static func patched(_ old: JSONValue, _ change: JSONValue) -> JSONValue {
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
