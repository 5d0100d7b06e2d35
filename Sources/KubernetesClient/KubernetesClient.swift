package import ClusterModel
internal import FoundationEssentials
package import HTTPModel
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
        var lists = ListLimits()
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

    /// Makes a client of the API server that a kubeconfig leads to, with the kubeconfig's credentials.
    ///
    /// - Parameters:
    ///   - kubeconfig: was read.
    ///   - transport: carries the requests.
    ///   - program: its name, which the API server's log shows with our version.
    package convenience init(_ kubeconfig: Kubeconfig, transport: any HTTPTransport, program: String) {
        self.init(
            servers: [kubeconfig.server],
            security: kubeconfig.security,
            transport: transport,
            agent: "\(program)/\(Version.text)"
        )
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

    /// The same cluster for one who does not trust those who fill it with objects: what it holds of them stays small.
    package func wary() -> KubernetesClient {
        var limits = limits
        limits.lists = .wary
        return KubernetesClient(servers, security.withLock { $0 }, transport, agent, mayWrite: mayWrite, limits)
    }

    /// How much a list may bring.
    var listLimits: ListLimits { limits.lists }

    /// The same cluster for one who needs an answer soon or none: each request is given up after the limit.
    package func hasty(_ limit: Nanoseconds, triesAgain: Bool) -> KubernetesClient {
        let limits = Limits(reads: limit, writes: limit, triesAgain: triesAgain, lists: limits.lists)
        return KubernetesClient(servers, security.withLock { $0 }, transport, agent, mayWrite: mayWrite, limits)
    }

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
            + Self.choice(name, selector)
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

    /// Sends a request, again where that can help and harms nobody.
    func perform(
        _ method: HTTPRequest.Method,
        _ path: String,
        body: [UInt8] = [],
        type: String = "application/json",
        accept: String = "application/json",
        bodyLimit: Int = 8 << 20
    ) async throws(APIError) -> HTTPResponse {
        var backoff = Backoff(start: .milliseconds(200), limit: .seconds(5))
        var attempts = 1
        while true {
            do throws(APIError) {
                return try await attempt(method, path, body: body, type: type, accept: accept, bodyLimit: bodyLimit)
            } catch {
                guard limits.triesAgain, method == .get || isUntouched(error), error.isRetryable,
                    attempts < 2 + servers.count
                else { throw error }
                attempts += 1
                let pause = backoff.wait(atLeast: .seconds(UInt64(error.retryAfter ?? 0)))
                // A caller that waits longer than this has better things to do.
                guard pause <= .seconds(10) else { throw error }
                do { try await Task.sleep(pause) } catch is CancellationError { throw error } catch {
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
        case .malformed, .unsent: false
        }
    }

    private func attempt(
        _ method: HTTPRequest.Method,
        _ path: String,
        body: [UInt8],
        type: String,
        accept: String,
        bodyLimit: Int
    ) async throws(APIError) -> HTTPResponse {
        guard method == .get || mayWrite() else {
            throw .unsent(request: "\(method.rawValue) \(path)", reason: "another process leads")
        }
        var request = request(method, path, accept: accept)
        request.bodyLimit = min(bodyLimit, limits.lists.pageBytes)
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

    private func request(
        _ method: HTTPRequest.Method,
        _ path: String,
        accept: String = "application/json"
    ) -> HTTPRequest {
        HTTPRequest(method, path, headers: [("Accept", accept), ("User-Agent", agent)])
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

    /// The part of a query that chooses objects by their name, another field and labels; what is missing chooses all.
    static func choice(_ name: String?, _ selector: String, field: String? = nil) -> String {
        let fields = [name.map { "metadata.name=\($0)" }, field].compactMap { $0 }.joined(separator: ",")
        let field = fields.isEmpty ? "" : "&fieldSelector=\(ResourceKind.encoded(fields))"
        return selector.isEmpty ? field : field + "&labelSelector=\(ResourceKind.encoded(selector))"
    }

    // MARK: - Bodies

    func encode(_ value: some Encodable) throws(APIError) -> [UInt8] {
        do {
            // Read as YAML where it is applied, which knows fewer escapes.
            return try CanonicalJSON.bytes(value)
        } catch {
            throw .unsent(request: "encode a body", reason: "\(error)")
        }
    }

    func decode<Value: Decodable>(_ response: HTTPResponse) throws(APIError) -> Value {
        try decode(response.body)
    }

    func decode<Value: Decodable>(_ body: [UInt8]) throws(APIError) -> Value {
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
