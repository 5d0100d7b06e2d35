package import ClusterModel
internal import FoundationEssentials
internal import LinuxSystem
package import TendrilCore

/// What a watcher tells.
package enum WatchEvent<Object: KubernetesObject>: Sendable {
    /// All objects that there are; what was known before is to be forgotten.
    case all([Object])
    /// An object is new or has changed.
    case changed(Object)
    case removed(Object)
    /// The API server does not answer as it should; the watcher goes on trying.
    case failed(APIError)
}

/// Follows a collection, or one object in it: lists, then watches, and begins again where it has to.
///
/// It never ends by itself; failures are events.
package struct Watcher<Object: KubernetesObject>: Sendable {
    /// What a line is about: the type of an event of the API (meta/v1 WatchEvent).
    private struct Kind: Decodable { let type: String }
    /// What a line holds, by its kind.
    private struct Line<Content: Decodable>: Decodable { let object: Content }
    private struct Bookmark: Decodable { let metadata: ObjectMetadata }

    private let client: KubernetesClient
    private let namespace: String?
    private let name: String?
    private let selector: String
    private let skipsUnreadable: Bool

    /// Follows a whole collection, or the object called `name` only.
    ///
    /// - Parameters:
    ///   - type: of which kind.
    ///   - client: of which cluster.
    ///   - namespace: `nil` for all of them.
    ///   - name: `nil` for the whole collection.
    ///   - selector: labels that objects have to have; empty for all.
    ///   - skipsUnreadable: whether an object that cannot be read is only told as a failure, and the others are followed.
    package init(
        _ type: Object.Type,
        client: KubernetesClient,
        namespace: String? = nil,
        name: String? = nil,
        selector: String = "",
        skipsUnreadable: Bool = false
    ) {
        (self.client, self.namespace, self.name) = (client, namespace, name)
        (self.selector, self.skipsUnreadable) = (selector, skipsUnreadable)
    }

    /// Tells every event until the task is cancelled.
    ///
    /// - Parameters:
    ///   - limit: how far apart attempts may grow while the API server does not answer.
    ///   - tell: is called with one event after the other.
    package func run(limit: Nanoseconds = .seconds(10), _ tell: @escaping @Sendable (WatchEvent<Object>) async -> Void)
        async
    {
        var backoff = Backoff(start: .milliseconds(500), limit: limit)
        var version = ""
        while !Task.isCancelled {
            do throws(APIError) {
                if version.isEmpty {
                    let unreadable = Guarded<[APIError]>([])
                    let (items, start) = try await list { error in unreadable.withLock { $0.append(error) } }
                    version = start
                    await tell(.all(items))
                    for error in unreadable.withLock({ $0 }) { await tell(.failed(error)) }
                }
                if let newest = try await watch(from: version, tell) {
                    version = newest
                    backoff.reset()
                } else {
                    // Not even a bookmark: nobody knows whether that version was ever reached. Where etcd was restored, the
                    // newest one is older, and the API server waits for it in silence.
                    version = ""
                    try? await Task.sleep(backoff.wait())
                }
            } catch {
                if Task.isCancelled { return }
                // Whoever answers next may know less than the last one did. Gone is the way in which the API asks for a list.
                version = ""
                if !error.isGone { await tell(.failed(error)) }
                let pause = backoff.wait(atLeast: .seconds(UInt64(error.retryAfter ?? 0)))
                try? await Task.sleep(pause)
            }
        }
    }

    private func list(_ skip: @escaping (APIError) -> Void) async throws(APIError) -> (
        items: [Object], version: String
    ) {
        // A right on one object by its name covers lists that select it by its name (Kubernetes documentation, "Using RBAC
        // Authorization"). The object's own version will not do: it may be too old to watch from.
        try await client.list(
            Object.self,
            namespace: namespace,
            name: name,
            selector: selector,
            skipping: skipsUnreadable ? skip : nil
        )
    }

    /// Follows one watch to its end and returns the newest version that was seen; `nil` where nothing came.
    private func watch(
        from version: String,
        _ tell: @escaping @Sendable (WatchEvent<Object>) async -> Void
    ) async throws(APIError) -> String? {
        // Bounded: a server that is faster than this side loses the watch, and a fresh list makes up for it.
        let (lines, feed) = AsyncStream.makeStream(of: [UInt8].self, bufferingPolicy: .bufferingOldest(1024))
        let (client, namespace, name, selector) = (client, namespace, name, selector)
        async let transfer: Result<Void, APIError> = {
            defer { feed.finish() }
            do throws(APIError) {
                try await client.watchLines(
                    Object.self,
                    namespace: namespace,
                    name: name,
                    selector: selector,
                    from: version
                ) { line in
                    if case .enqueued = feed.yield(line) { true } else { false }
                }
                return .success(())
            } catch {
                return .failure(error)
            }
        }()
        var newest: String?
        var failure: APIError?
        for await line in lines {
            switch read(line) {
            case .success(let event?):
                if let told = event.told { await tell(told) }
                newest = event.version ?? newest ?? version
            case .success(nil): newest = newest ?? version
            case .failure(let error): failure = error
            }
            if failure != nil { break }
        }
        let result = await transfer
        if let failure { throw failure }
        try result.get()
        return newest
    }

    private func read(_ bytes: [UInt8]) -> Result<(told: WatchEvent<Object>?, version: String?)?, APIError> {
        let data = Data(bytes)
        func content<Content: Decodable>(_ type: Content.Type) throws -> Content {
            try JSONDecoder().decode(Line<Content>.self, from: data).object
        }
        do {
            try JSONDepth.check(bytes)
            let kind = try JSONDecoder().decode(Kind.self, from: data).type
            switch kind {
            case "ADDED", "MODIFIED", "DELETED":
                let object = try content(Object.self)
                let told: WatchEvent<Object> = kind == "DELETED" ? .removed(object) : .changed(object)
                return .success((told, object.metadata.resourceVersion))
            case "BOOKMARK":
                return .success((nil, try content(Bookmark.self).metadata.resourceVersion))
            case "ERROR":
                let status = try content(APIStatus.self)
                return .failure(.status(code: status.code ?? 500, request: "watch", status, retryAfter: nil))
            default: return .success(nil)
            }
        } catch {
            let failure = APIError.malformed(request: "watch", reason: "\(error)")
            return skipsUnreadable ? .success((.failed(failure), nil)) : .failure(failure)
        }
    }
}
