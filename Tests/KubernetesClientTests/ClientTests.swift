import ClusterModel
import HTTPModel
import KubernetesClient
import LinuxSystem
import TendrilCore
import Testing

/// Answers from a script, to give the faults that a real API server will not.
final class ScriptedTransport: HTTPTransport {
    enum Answer: Sendable {
        case response(Int, String, [String: String] = [:])
        case lines([String])
        case failure(TransferError.Kind)
    }

    private let answers: Guarded<[Answer]>
    private let log = Guarded<[String]>([])
    private let forms = Guarded<Set<String>>([])

    init(_ answers: [Answer]) { self.answers = Guarded(answers) }

    /// The requests that came, as method and URL.
    var requests: [String] { log.withLock { $0 } }
    /// The forms in which answers were asked for.
    var accepted: Set<String> { forms.withLock { $0 } }

    func send(_ request: HTTPRequest, _ security: HTTPSecurity) async throws(TransferError) -> HTTPResponse {
        switch next(request) {
        case .response(let status, let body, let headers):
            return HTTPResponse(status: status, headers: headers, body: Array(body.utf8))
        case .lines: return HTTPResponse(status: 500)
        case .failure(let kind): throw TransferError(kind, url: request.url, reason: "scripted")
        }
    }

    func stream(
        _ request: HTTPRequest,
        _ security: HTTPSecurity,
        receive: @escaping @Sendable (UnsafeRawBufferPointer) -> Bool
    ) async throws(TransferError) -> HTTPResponse {
        switch next(request) {
        case .lines(let lines):
            for line in lines {
                let goesOn = Array((line + "\n").utf8).withUnsafeBytes { receive($0) }
                if !goesOn { throw TransferError(.cancelled, url: request.url, reason: "cancelled") }
            }
            return HTTPResponse(status: 200)
        case .response(let status, let body, _): return HTTPResponse(status: status, body: Array(body.utf8))
        case .failure(let kind): throw TransferError(kind, url: request.url, reason: "scripted")
        }
    }

    private func next(_ request: HTTPRequest) -> Answer {
        log.withLock { $0.append("\(request.method.rawValue) \(request.url)") }
        forms.withLock { $0.formUnion(request.headers.filter { $0.name == "Accept" }.map { $0.value }) }
        return answers.withLock { $0.isEmpty ? .failure(.connect) : $0.removeFirst() }
    }
}

private func client(_ transport: ScriptedTransport, servers: [String] = ["https://a", "https://b"])
    -> KubernetesClient
{
    KubernetesClient(servers: servers, security: HTTPSecurity(trust: .system), transport: transport, agent: "test")
}

@Suite("The Kubernetes client")
struct ClientTests {
    private static let node = #"{"metadata":{"name":"n1","resourceVersion":"5"}}"#

    @Test("One who may not write any more reads, and changes nothing")
    func fence() async throws {
        let transport = ScriptedTransport([.response(200, Self.node)])
        let mayWrite = Guarded(true)
        let fenced = client(transport).fenced { mayWrite.withLock { $0 } }
        mayWrite.withLock { $0 = false }
        _ = try await fenced.get(Node.self, "n1")
        await #expect(throws: APIError.self) { try await fenced.patch(Node.self, "n1", ["metadata": [:]]) }
        await #expect(throws: APIError.self) { try await fenced.delete(Node.self, "n1") }
        await #expect(throws: APIError.self) {
            try await fenced.serverSideApply(
                ["apiVersion": "v1", "kind": "Node", "metadata": ["name": "n1"]],
                manager: "m"
            )
        }
        #expect(transport.requests == ["GET https://a/api/v1/nodes/n1"])
    }

    @Test("What an apply would give is asked for without a change")
    func dryApply() async throws {
        let transport = ScriptedTransport([.response(200, Self.node)])
        let document: JSONValue = ["apiVersion": "v1", "kind": "Node", "metadata": ["name": "n1"]]
        let node = try await client(transport).dryApply(Node.self, document, manager: "m")
        #expect(node.metadata.resourceVersion == "5")
        #expect(transport.requests == ["PATCH https://a/api/v1/nodes/n1?fieldManager=m&force=true&dryRun=All"])
    }

    @Test("One object that cannot be read spoils no other, where that is wanted")
    func unreadable() async throws {
        let deep = String(repeating: "[", count: 100) + String(repeating: "]", count: 100)
        let items = [
            #"{"metadata":{"name":"a","annotations":{"x":"\"items\": [{}]"}}}"#,
            #"{"metadata":{"name":"b"},"x":\#(deep)}"#,
            #"{"metadata":{"name":7}}"#,
            #"{"metadata":{"name":"c","finalizers":["x","y]"]},"status":{"conditions":[{"type":"Ready","status":"True"}]}}"#,
        ]
        let page =
            #"{"kind":"NodeList","metadata":{"resourceVersion":"9","y":{"items":[]}}, "items" : [\#(items.joined(separator: " , "))]}"#
        let transport = ScriptedTransport([.response(200, page), .response(200, page)])
        var failures = 0
        let (nodes, version) = try await client(transport).list(Node.self) { _ in failures += 1 }
        #expect(nodes.map(\.metadata.name) == ["a", "c"] && version == "9" && failures == 2)
        await #expect(throws: APIError.self) { try await client(transport).list(Node.self) }
    }

    @Test("A wary client asks for smaller pages where one is too large, and keeps little of what comes")
    func wary() async throws {
        let long = String(repeating: "x", count: 100_000)
        let notes = #""tendril.dev/applied-generation":"7","a":"b","tendril.dev/long":"\#(long)""#
        let status = #"{"conditions":[{"type":"Ready","status":"True","message":"\#(long)"}]}"#
        let page = #"{"metadata":{},"items":[{"metadata":{"name":"n","annotations":{\#(notes)}},"status":\#(status)}]}"#
        let transport = ScriptedTransport([.failure(.tooLarge), .response(200, page)])
        let node = try #require(try await client(transport).wary().list(Node.self).items.first)
        #expect(transport.requests == ["GET https://a/api/v1/nodes?limit=50", "GET https://a/api/v1/nodes?limit=6"])
        #expect(node.metadata.annotations == ["tendril.dev/applied-generation": "7"] && node.isReady)
        #expect((node.status?.conditions?.first?.message?.utf8.count ?? 0) == 512)
        let whole = try await client(ScriptedTransport([.response(200, page)])).list(Node.self).items.first
        #expect(whole?.metadata.annotations?.count == 3)
    }

    @Test("A wary client reads no list without an end")
    func endless() async throws {
        let items = (0..<500).map { #"{"metadata":{"name":"n\#($0)"}}"# }.joined(separator: ",")
        let page = #"{"metadata":{"continue":"more"},"items":[\#(items)]}"#
        let transport = ScriptedTransport(Array(repeating: .response(200, page), count: 100))
        await #expect(throws: APIError.self) { try await client(transport).wary().list(Node.self) }
        #expect(transport.requests.count == 21)
    }

    @Test("Reads what identifies objects page by page, and goes on where a page's version is gone")
    func metadata() async throws {
        func page(_ names: [String], then token: String) -> ScriptedTransport.Answer {
            let items = names.map { #"{"metadata":{"name":"\#($0)"},"data":{"x":7}}"# }.joined(separator: ",")
            return .response(200, #"{"metadata":{"continue":"\#(token)"},"items":[\#(items)]}"#)
        }
        let gone = #"{"kind":"Status","reason":"Expired","code":410,"metadata":{"continue":"t2"}}"#
        let transport = ScriptedTransport([page(["a", "b"], then: "t/1"), .response(410, gone), page(["c"], then: "")])
        var names: [String?] = []
        try await client(transport).forEachMetadata(KubernetesSecret.self, field: "type!=x") { names.append($0.name) }
        #expect(names == ["a", "b", "c"])
        let url = "GET https://a/api/v1/secrets?limit=40&fieldSelector=type%21%3Dx"
        #expect(transport.requests == [url, url + "&continue=t%2F1", url + "&continue=t2"])
        #expect(transport.accepted == ["application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"])
        // Without a word on how to go on there is no going on.
        let silent = ScriptedTransport([page(["a"], then: "t"), .response(410, #"{"reason":"Expired"}"#)])
        await #expect(throws: APIError.self) {
            try await client(silent).forEachMetadata(KubernetesSecret.self) { _ in }
        }
    }

    @Test(
        "Knows where objects are",
        arguments: [
            (["apiVersion": "v1", "kind": "Endpoints"], "/api/v1/namespaces/n/endpoints/a"),
            (
                ["apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy"],
                "/apis/networking.k8s.io/v1/namespaces/n/networkpolicies/a"
            ),
            (
                ["apiVersion": "networking.k8s.io/v1", "kind": "Ingress"],
                "/apis/networking.k8s.io/v1/namespaces/n/ingresses/a"
            ),
            (["apiVersion": "apps/v1", "kind": "DaemonSet"], "/apis/apps/v1/namespaces/n/daemonsets/a"),
            (["apiVersion": "a/b/c", "kind": "X"], nil), (["kind": "X"], nil), (["apiVersion": "v1", "kind": ""], nil),
        ] as [(JSONValue, String?)]
    )
    func paths(_ object: JSONValue, _ path: String?) {
        let named = object.merging(["metadata": ["name": "a", "namespace": "n"]])
        #expect(ObjectPath.path(of: named) == path)
    }

    @Test("Knows an object again by its path in another version, and no other one")
    func versions() {
        func isSame(_ one: String, _ other: String) -> Bool {
            ObjectPath.withoutVersion(one) == ObjectPath.withoutVersion(other)
        }
        let budget = "namespaces/n/poddisruptionbudgets"
        #expect(isSame("/apis/policy/v1beta1/\(budget)/a", "/apis/policy/v1/\(budget)/a"))
        #expect(!isSame("/apis/policy/v1/\(budget)/a", "/apis/policy/v1/\(budget)/b"))
        #expect(!isSame("/apis/policy/v1/\(budget)/a", "/apis/apps/v1/\(budget)/a"))
        #expect(!isSame("/api/v1/namespaces/n/services/a", "/api/v1/namespaces/m/services/a"))
        #expect(ObjectPath.withoutVersion("/api/v1/nodes/a") == "/api/nodes/a" && ObjectPath.withoutVersion("") == "")
    }

    @Test("goes to the next server while one does not answer, and stays there")
    func failOver() async throws {
        let transport = ScriptedTransport([.failure(.connect), .response(200, Self.node), .response(200, Self.node)])
        let client = client(transport)
        #expect(try await client.get(Node.self, "n1").metadata.name == "n1")
        #expect(try await client.get(Node.self, "n1").metadata.name == "n1")
        #expect(transport.requests.map { $0.prefix(13) } == ["GET https://a", "GET https://b", "GET https://b"])
    }

    @Test("sends a request that changes something once, unless it certainly did nothing")
    func writes() async {
        let transport = ScriptedTransport([.failure(.timeout), .response(200, Self.node)])
        await #expect(throws: APIError.self) { try await client(transport).patch(Node.self, "n1", [:]) }
        #expect(transport.requests.count == 1)
        let refused = ScriptedTransport([
            .failure(.connect), .response(429, "{}", ["retry-after": "0"]), .response(200, Self.node),
        ])
        _ = try? await client(refused).patch(Node.self, "n1", [:])
        #expect(refused.requests.count == 3)
    }

    @Test("waits as long as the server asks, and gives the wait to its caller where that is long")
    func retryAfter() async {
        let transport = ScriptedTransport([.response(429, "{}", ["retry-after": "120"])])
        do {
            _ = try await client(transport).get(Node.self, "n1")
            Issue.record("answered")
        } catch {
            #expect(error.code == 429 && error.retryAfter == 120)
        }
        #expect(transport.requests.count == 1)
    }

    @Test(
        "refuses answers that are nested too deep or no JSON",
        arguments: [String(repeating: "[", count: 65), "<html>", ""]
    )
    func malformed(body: String) async {
        let transport = ScriptedTransport([.response(200, body)])
        do {
            _ = try await client(transport).get(Node.self, "n1")
            Issue.record("taken")
        } catch {
            guard case .malformed = error else {
                Issue.record("\(error)")
                return
            }
        }
    }

    @Test("sends no change for one that may not write, and says why")
    func fenced() async {
        let transport = ScriptedTransport([.response(200, "{}")])
        do {
            _ = try await client(transport).fenced { false }.deleteDocument("/api/v1/namespaces/a")
            Issue.record("sent")
        } catch {
            #expect("\(error)" == "DELETE /api/v1/namespaces/a: not sent: another process leads")
        }
        #expect(transport.requests.isEmpty)
    }

    @Test("encodes names in paths", arguments: [("a/../b", "a%2F..%2Fb"), ("a?b", "a%3Fb"), ("ä", "%C3%A4")])
    func paths(name: String, encoded: String) {
        #expect(
            KubernetesSecret.resource.path(namespace: "kube-system", name: name)
                == "/api/v1/namespaces/kube-system/secrets/\(encoded)"
        )
    }
}

@Suite("Watching")
struct WatcherTests {
    @Test("does not turn in circles when every watch is too old at once")
    func gone() async throws {
        let list = #"{"metadata":{"resourceVersion":"10"},"items":[]}"#
        let round: [ScriptedTransport.Answer] = [.response(200, list), .response(410, #"{"reason":"Expired"}"#)]
        let transport = ScriptedTransport(Array(repeating: round, count: 1000).flatMap { $0 })
        let client = client(transport, servers: ["https://a"])
        let start = Clock.now()
        let watcher = Task { await Watcher(ConfigMap.self, client: client, namespace: "x", name: "a").run { _ in } }
        try await Task.sleep(nanoseconds: 600_000_000)
        watcher.cancel()
        let count = transport.requests.count
        // Half a second apart, then twice as far each time up to ten seconds, or half of that by chance; this thread may come late.
        let passed = Double(Clock.now().since(start).value) / 1e9
        var (rounds, next, pause) = (1, 0.25, 0.25)
        while next <= passed { (rounds, pause, next) = (rounds + 1, min(pause * 2, 5), next + min(pause * 2, 5)) }
        #expect(count <= 2 * (rounds + 1), "\(count) requests in \(passed) s")
        #expect(transport.requests.first?.contains("fieldSelector=metadata.name%3Da") == true)
    }

    @Test("lists, follows events and bookmarks, and lists again after 410")
    func follows() async {
        let list = #"{"metadata":{"resourceVersion":"10"},"items":[{"metadata":{"name":"a"}}]}"#
        let transport = ScriptedTransport([
            .response(200, list),
            .lines([
                #"{"type":"ADDED","object":{"metadata":{"name":"b","resourceVersion":"11"}}}"#,
                #"{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"20"}}}"#,
            ]),
            .lines([#"{"type":"ERROR","object":{"code":410,"reason":"Expired"}}"#]),
            .response(200, list),
            .lines([#"{"type":"DELETED","object":{"metadata":{"name":"a","resourceVersion":"12"}}}"#]),
        ])
        let client = client(transport, servers: ["https://a"])
        let told = Guarded<[String]>([])
        let watcher = Task {
            await Watcher(ConfigMap.self, client: client, namespace: "x").run { event in
                let text =
                    switch event {
                    case .all(let maps): "all \(maps.count)"
                    case .changed(let map): "changed \(map.metadata.name ?? "")"
                    case .removed(let map): "removed \(map.metadata.name ?? "")"
                    case .failed: "failed"
                    }
                told.withLock { $0.append(text) }
            }
        }
        while told.withLock({ $0.count }) < 5 { await Task.yield() }
        watcher.cancel()
        #expect(told.withLock { Array($0.prefix(5)) } == ["all 1", "changed b", "all 1", "removed a", "failed"])
        let versions = transport.requests.compactMap { request in
            request.split(separator: "resourceVersion=").dropFirst().first.map { $0.prefix { $0 != "&" } }
        }
        #expect(versions.prefix(3) == ["10", "20", "10"])
    }

    @Test(
        "lists again where the server may know less than it did",
        arguments: [ScriptedTransport.Answer.failure(.connect), .lines([])]
    )
    func restored(end: ScriptedTransport.Answer) async {
        let transport = ScriptedTransport([
            .response(200, #"{"metadata":{"resourceVersion":"900"},"items":[{"metadata":{"name":"a"}}]}"#), end,
            .response(200, #"{"metadata":{"resourceVersion":"10"},"items":[]}"#),
        ])
        let client = client(transport, servers: ["https://a"])
        let counts = Guarded<[Int]>([])
        let watcher = Task {
            await Watcher(ConfigMap.self, client: client, namespace: "x").run(limit: .milliseconds(500)) { event in
                if case .all(let maps) = event { counts.withLock { $0.append(maps.count) } }
            }
        }
        while counts.withLock({ $0.count }) < 2 { await Task.yield() }
        watcher.cancel()
        #expect(counts.withLock { $0 } == [1, 0])
    }
}
