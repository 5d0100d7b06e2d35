import ClusterModel
import HTTPModel
import KubernetesClient
import LinuxSystem
import TendrilCore

/// An API server of few words: it keeps documents by their paths, and answers otherwise where a test wants that.
final class MemoryAPI: TestAPI {
    private struct State {
        var objects = MemoryObjects()
        var log: [(request: String, body: JSONValue)] = []
    }

    private let state = Guarded(State())
    /// What is answered instead; `nil` for what is there.
    private let fault: @Sendable (HTTPRequest) -> HTTPResponse?

    init(_ fault: @escaping @Sendable (HTTPRequest) -> HTTPResponse? = { _ in nil }) { self.fault = fault }

    /// The document at a path.
    subscript(_ path: String) -> JSONValue? {
        get { state.withLock { $0.objects[path] } }
        set { state.withLock { $0.objects[path] = newValue } }
    }

    /// Where there are documents, as far as that begins so, in order.
    func paths(_ start: String) -> [String] {
        state.withLock { $0.objects.documents.keys.filter { $0.hasPrefix(start) }.sorted() }
    }

    /// Puts an object there.
    func put<Object: KubernetesObject>(_ object: Object) throws {
        let path = Object.resource.path(namespace: object.metadata.namespace, name: object.name)
        self[path] = try CanonicalJSON.value(object)
    }

    /// The object that is there.
    func find<Object: KubernetesObject>(_ type: Object.Type, _ name: String, namespace: String? = nil) throws
        -> Object?
    {
        try self[Object.resource.path(namespace: namespace, name: name)].map {
            try $0.decoded(as: Object.self)
        }
    }

    /// The bodies of all requests that begin so, such as `PATCH /api/v1/nodes/`.
    func bodies(_ start: String) -> [JSONValue] {
        state.withLock { $0.log.filter { $0.request.hasPrefix(start) }.map(\.body) }
    }

    func send(_ request: HTTPRequest, _ security: HTTPSecurity) async throws(TransferError) -> HTTPResponse {
        let parts = request.url.dropFirst("https://api".count).split(separator: "?", maxSplits: 1).map(String.init)
        let body = JSONValue(bytes: request.body)
        state.withLock { $0.log.append(("\(request.method.rawValue) \(parts[0])", body)) }
        if let response = fault(request) { return response }
        return state.withLock {
            $0.objects.answer(request, parts[0], query: parts.count > 1 ? parts[1] : "", body)
        }
    }
}
