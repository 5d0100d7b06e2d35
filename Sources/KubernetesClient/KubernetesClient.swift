package import ClusterModel
internal import FoundationEssentials
package import HTTPTransfer
internal import LinuxSystem
package import TendrilCore

/// Speaks to one cluster's API server, at one or several addresses.
///
/// Requests that changed nothing are tried again where that can help; all others are tried once.
package final class KubernetesClient: Sendable {
    /// How a patch is meant.
    package enum PatchKind: String, Sendable {
        /// RFC 7396.
        case merge = "application/merge-patch+json"
        /// Kubernetes' own: lists are merged by their keys.
        case strategic = "application/strategic-merge-patch+json"
    }

    /// How long a client waits.
    private struct Limits {
        var reads = Nanoseconds.seconds(15)
        var writes = Nanoseconds.seconds(15)
        /// Whether what failed and changed nothing is sent again.
        var triesAgain = true
    }

    private let servers: [String]
    private let transport: any HTTPTransport
    private let security: Guarded<HTTPSecurity>
    /// The address that answered last.
    private let current = Guarded(0)
    private let agent: String
    private let mayWrite: @Sendable () -> Bool
    private let limits: Limits

    /// Makes a client.
    ///
    /// - Parameters:
    ///   - servers: `https://host:port` each; at least one. While one does not answer, the next is tried.
    ///   - security: whom to believe, and as whom to speak.
    ///   - transport: carries the requests.
    ///   - agent: the name of the program for the API server's log.
    package convenience init(
        servers: [String],
        security: HTTPSecurity,
        transport: any HTTPTransport,
        agent: String
    ) {
        self.init(servers, security, transport, agent, mayWrite: { true }, Limits())
    }

    private init(
        _ servers: [String],
        _ security: HTTPSecurity,
        _ transport: any HTTPTransport,
        _ agent: String,
        mayWrite: @escaping @Sendable () -> Bool,
        _ limits: Limits
    ) {
        precondition(!servers.isEmpty, "a client needs a server")
        (self.servers, self.transport, self.agent) = (servers, transport, agent)
        (self.mayWrite, self.limits) = (mayWrite, limits)
        self.security = Guarded(security)
    }

    /// The address that answered last.
    package var server: String { servers[current.withLock { $0 } % servers.count] }

    /// Speaks with another credential or trust from now on.
    package func use(_ new: HTTPSecurity) { security.withLock { $0 = new } }

    /// The same addresses with other credentials.
    package func with(_ security: HTTPSecurity) -> KubernetesClient {
        KubernetesClient(servers, security, transport, agent, mayWrite: mayWrite, limits)
    }

    /// The same cluster for one who may write only while this holds; a request that changes something is given up after the
    /// limit, so that it does not arrive long after somebody else began.
    package func fenced(
        limit: Nanoseconds = .seconds(15),
        _ mayWrite: @escaping @Sendable () -> Bool
    ) -> KubernetesClient {
        var limits = limits
        limits.writes = limit
        return KubernetesClient(servers, security.withLock { $0 }, transport, agent, mayWrite: mayWrite, limits)
    }

    /// The same cluster for one who needs an answer soon or none: each request is given up after the limit.
    package func hasty(_ limit: Nanoseconds, triesAgain: Bool) -> KubernetesClient {
        let limits = Limits(reads: limit, writes: limit, triesAgain: triesAgain)
        return KubernetesClient(servers, security.withLock { $0 }, transport, agent, mayWrite: mayWrite, limits)
    }

    /// Reads one object.
    package func get<Object: KubernetesObject>(
        _ type: Object.Type,
        _ name: String,
        namespace: String? = nil
    ) async throws(APIError) -> Object {
        try decode(await perform(.get, Object.resource.path(namespace: namespace, name: name)))
    }

    /// Reads one object; `nil` where there is none.
    package func find<Object: KubernetesObject>(
        _ type: Object.Type,
        _ name: String,
        namespace: String? = nil
    ) async throws(APIError) -> Object? {
        do {
            return try await get(type, name, namespace: namespace)
        } catch  where error.isNotFound {
            return nil
        }
    }

    /// Reads a collection, page by page.
    ///
    /// - Parameters:
    ///   - type: of which kind.
    ///   - namespace: `nil` for all of them.
    ///   - name: one object only; `nil` for all.
    ///   - selector: labels; empty for all.
    ///   - skipping: hears of each object that cannot be read, and the others are returned; without it there is no list
    ///     then. For objects whose owners are strangers to one another.
    /// - Returns: the objects, and the version from which a watch goes on.
    /// - Throws: `APIError`.
    package func list<Object: KubernetesObject>(
        _ type: Object.Type,
        namespace: String? = nil,
        name: String? = nil,
        selector: String = "",
        skipping: ((APIError) -> Void)? = nil
    ) async throws(APIError) -> (items: [Object], version: String) {
        var items: [Object] = []
        var token = ""
        while true {
            var query = "?limit=500"
            if let name { query += "&fieldSelector=\(ResourceKind.encoded("metadata.name=\(name)"))" }
            if !selector.isEmpty { query += "&labelSelector=\(ResourceKind.encoded(selector))" }
            if !token.isEmpty { query += "&continue=\(ResourceKind.encoded(token))" }
            let path = Object.resource.path(namespace: namespace) + query
            let response = try await perform(.get, path, bodyLimit: 64 << 20)
            let page: ObjectList<Object>
            if let skipping, let (rest, parts) = ListItems.split(response.body) {
                page = try decode(rest)
                for part in parts {
                    do throws(APIError) {
                        items.append(try decode(part))
                    } catch {
                        skipping(error)
                    }
                }
            } else {
                page = try decode(response)
            }
            items += page.items
            token = page.metadata.continue ?? ""
            if token.isEmpty { return (items, page.metadata.resourceVersion ?? "") }
        }
    }

    /// Makes an object and returns it as it is then.
    @discardableResult
    package func create<Object: KubernetesObject>(_ object: Object) async throws(APIError) -> Object {
        let path = Object.resource.path(namespace: object.metadata.namespace)
        return try decode(await perform(.post, path, body: encode(object)))
    }

    /// Replaces an object, or one of its subresources; a version in it has to be the newest.
    @discardableResult
    package func replace<Object: KubernetesObject>(
        _ object: Object,
        subresource: String? = nil
    ) async throws(APIError) -> Object {
        let path = Object.resource.path(
            namespace: object.metadata.namespace,
            name: object.metadata.name ?? "",
            subresource: subresource
        )
        return try decode(await perform(.put, path, body: encode(object)))
    }

    /// Changes an object, or one of its subresources.
    @discardableResult
    package func patch<Object: KubernetesObject>(
        _ type: Object.Type,
        _ name: String,
        namespace: String? = nil,
        subresource: String? = nil,
        kind: PatchKind = .merge,
        _ change: JSONValue
    ) async throws(APIError) -> Object {
        let path = Object.resource.path(namespace: namespace, name: name, subresource: subresource)
        return try decode(await perform(.patch, path, body: encode(change), type: kind.rawValue))
    }

    /// Removes an object, where a version is named only as that version; whether it was there.
    @discardableResult
    package func delete<Object: KubernetesObject>(
        _ type: Object.Type,
        _ name: String,
        namespace: String? = nil,
        ifVersion version: String? = nil
    ) async throws(APIError) -> Bool {
        let options: JSONValue? = version.map { ["preconditions": ["resourceVersion": .string($0)]] }
        let path = Object.resource.path(namespace: namespace, name: name)
        do {
            _ = try await perform(.delete, path, body: try options.map(encode) ?? [])
            return true
        } catch  where error.isNotFound {
            return false
        }
    }

    /// Makes an object, or changes it to what is said, as the owner of those fields: what was said before and is not now,
    /// goes (Kubernetes documentation, "Server-Side Apply").
    ///
    /// - Parameters:
    ///   - object: with `apiVersion`, `kind` and `metadata.name`.
    ///   - manager: the owner's name.
    /// - Returns: the object as it is then.
    /// - Throws: `APIError`.
    @discardableResult
    package func serverSideApply(_ object: JSONValue, manager: String) async throws(APIError) -> JSONValue {
        guard let path = ObjectPath.path(of: object) else {
            throw .malformed(request: "apply", reason: "an object without apiVersion, kind or name")
        }
        let query = "?fieldManager=\(ResourceKind.encoded(manager))&force=true"
        return try decode(
            await perform(.patch, path + query, body: encode(object), type: "application/apply-patch+yaml")
        )
    }

    /// Reads any document of the API.
    package func document(_ path: String) async throws(APIError) -> JSONValue {
        try decode(await perform(.get, path))
    }

    /// Reads any document of the API; `nil` where there is none.
    package func findDocument(_ path: String) async throws(APIError) -> JSONValue? {
        do {
            return try await document(path)
        } catch  where error.isNotFound {
            return nil
        }
    }

    /// Reads any text of the API, such as `/readyz`.
    package func text(_ path: String) async throws(APIError) -> String {
        String(decoding: try await perform(.get, path).body, as: UTF8.self)
    }

    /// Removes whatever is at a path; whether it was there.
    @discardableResult
    package func deleteDocument(_ path: String) async throws(APIError) -> Bool {
        do {
            _ = try await perform(.delete, path)
            return true
        } catch  where error.isNotFound {
            return false
        }
    }

    /// Makes an object, or replaces the one of the same name.
    package func apply<Object: KubernetesObject>(_ object: Object) async throws(APIError) {
        do {
            try await create(object)
        } catch  where error.isConflict {
            let old = try await get(Object.self, object.metadata.name ?? "", namespace: object.metadata.namespace)
            var new = object
            new.metadata.resourceVersion = old.metadata.resourceVersion
            try await replace(new)
        }
    }

    /// The answer to a GET of any path, such as `/version`.
    package func raw(_ path: String) async throws(APIError) -> HTTPResponse { try await perform(.get, path) }

    /// Watches a collection from a version on, until the server ends the watch.
    ///
    /// - Parameters:
    ///   - type: of which kind.
    ///   - namespace: `nil` for all of them.
    ///   - name: one object only; `nil` for all.
    ///   - selector: labels that objects have to have; empty for all.
    ///   - version: from which on.
    ///   - receive: takes each event's line on the transport's thread and returns whether to go on.
    /// - Throws: `APIError`.
    package func watchLines<Object: KubernetesObject>(
        _ type: Object.Type,
        namespace: String? = nil,
        name: String? = nil,
        selector: String = "",
        from version: String,
        receive: @escaping @Sendable ([UInt8]) -> Bool
    ) async throws(APIError) {
        // The server ends a watch after this time; spread, so that not all nodes come back at once.
        let seconds = Int.random(in: 300...600)
        var path =
            Object.resource.path(namespace: namespace) + "?watch=1&allowWatchBookmarks=true&timeoutSeconds=\(seconds)"
        if let name { path += "&fieldSelector=\(ResourceKind.encoded("metadata.name=\(name)"))" }
        if !selector.isEmpty { path += "&labelSelector=\(ResourceKind.encoded(selector))" }
        if !version.isEmpty { path += "&resourceVersion=\(ResourceKind.encoded(version))" }
        let splitter = Guarded(LineSplitter(limit: 4 << 20))
        var request = request(.get, path)
        request.timeout = nil
        // Bookmarks come every minute; a server that sends nothing at all for longer is not there.
        request.silence = .seconds(UInt64(seconds) + 30)
        let (url, index) = address(path)
        request.url = url
        let response: HTTPResponse
        do throws(TransferError) {
            response = try await transport.stream(request, security.withLock { $0 }) { bytes in
                guard let lines = splitter.withLock({ $0.take(bytes) }) else { return false }
                return lines.allSatisfy(receive)
            }
        } catch {
            if error.kind != .cancelled { failOver(from: index) }
            throw .transfer(error)
        }
        if !(200..<300).contains(response.status) { throw failure("watch \(path)", response) }
    }

    // MARK: - Requests

    private func perform(
        _ method: HTTPRequest.Method,
        _ path: String,
        body: [UInt8] = [],
        type: String = "application/json",
        bodyLimit: Int = 8 << 20
    ) async throws(APIError) -> HTTPResponse {
        var backoff = Backoff(start: .milliseconds(200), limit: .seconds(5))
        var attempts = 1
        while true {
            do throws(APIError) {
                return try await attempt(method, path, body: body, type: type, bodyLimit: bodyLimit)
            } catch {
                guard limits.triesAgain, method == .get || isUntouched(error), error.isRetryable,
                    attempts < 2 + servers.count
                else { throw error }
                attempts += 1
                let pause = backoff.wait(atLeast: .seconds(UInt64(error.retryAfter ?? 0)))
                // A caller that waits longer than this has better things to do.
                guard pause <= .seconds(10) else { throw error }
                do { try await Task.sleep(nanoseconds: pause.value) } catch is CancellationError { throw error } catch {
                    continue
                }
            }
        }
    }

    /// Whether the server certainly did nothing, so that any request may be sent again.
    private func isUntouched(_ error: APIError) -> Bool {
        switch error {
        case .transfer(let error): [.resolve, .connect, .proxy].contains(error.kind)
        case .status(let code, _, _, _): code == 429
        case .malformed: false
        }
    }

    private func attempt(
        _ method: HTTPRequest.Method,
        _ path: String,
        body: [UInt8],
        type: String,
        bodyLimit: Int
    ) async throws(APIError) -> HTTPResponse {
        guard method == .get || mayWrite() else {
            throw .malformed(request: "\(method.rawValue) \(path)", reason: "not sent, for another process leads")
        }
        var request = request(method, path)
        request.bodyLimit = bodyLimit
        request.timeout = method == .get ? limits.reads : limits.writes
        request.body = body
        if !body.isEmpty { request.headers.append(("Content-Type", type)) }
        let (url, index) = address(path)
        request.url = url
        let response: HTTPResponse
        do throws(TransferError) {
            response = try await transport.send(request, security.withLock { $0 })
        } catch {
            if error.isRetryable { failOver(from: index) }
            throw .transfer(error)
        }
        guard (200..<300).contains(response.status) else { throw failure("\(method.rawValue) \(path)", response) }
        return response
    }

    private func request(_ method: HTTPRequest.Method, _ path: String) -> HTTPRequest {
        HTTPRequest(method, path, headers: [("Accept", "application/json"), ("User-Agent", agent)])
    }

    private func address(_ path: String) -> (url: String, index: Int) {
        let index = current.withLock { $0 }
        return (servers[index % servers.count] + path, index)
    }

    private func failOver(from index: Int) {
        current.withLock { if $0 == index { $0 = (index + 1) % servers.count } }
    }

    private func failure(_ request: String, _ response: HTTPResponse) -> APIError {
        let status = try? JSONDecoder().decode(APIStatus.self, from: Data(response.body))
        return .status(
            code: response.status,
            request: request,
            status ?? APIStatus(),
            retryAfter: response.headers["retry-after"].flatMap { Int($0) }
        )
    }

    // MARK: - Bodies

    private func encode(_ value: some Encodable) throws(APIError) -> [UInt8] {
        do {
            // Read as YAML where it is applied, which knows fewer escapes.
            return try CanonicalJSON.bytes(value)
        } catch {
            throw .malformed(request: "encode a body", reason: "\(error)")
        }
    }

    private func decode<Value: Decodable>(_ response: HTTPResponse) throws(APIError) -> Value {
        try decode(response.body)
    }

    private func decode<Value: Decodable>(_ body: [UInt8]) throws(APIError) -> Value {
        do throws(JSONDepthError) {
            try JSONDepth.check(body)
        } catch {
            throw .malformed(request: "decode \(Value.self)", reason: error.description)
        }
        do {
            return try JSONDecoder().decode(Value.self, from: Data(body))
        } catch {
            throw .malformed(request: "decode \(Value.self)", reason: "\(error)")
        }
    }
}
