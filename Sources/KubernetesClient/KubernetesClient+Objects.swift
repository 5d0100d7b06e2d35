package import ClusterModel
internal import FoundationEssentials
package import HTTPModel
package import TendrilCore

/// Objects and documents: read, made, changed, removed.
extension KubernetesClient {
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

    /// Reads a collection, page by page; pages that are too large are asked for in smaller ones.
    ///
    /// - Parameters:
    ///   - type: of which kind.
    ///   - namespace: `nil` for all of them.
    ///   - name: one object only; `nil` for all.
    ///   - selector: labels; empty for all.
    ///   - field: a selector of a field, such as `spec.nodeName=a`; `nil` for all.
    ///   - skipping: hears of each object that cannot be read, and the others are returned; without it there is no list
    ///     then. For objects whose owners are strangers to one another.
    /// - Returns: the objects, and the version from which a watch goes on.
    /// - Throws: `APIError`.
    package func list<Object: KubernetesObject>(
        _ type: Object.Type,
        namespace: String? = nil,
        name: String? = nil,
        selector: String = "",
        field: String? = nil,
        skipping: ((APIError) -> Void)? = nil
    ) async throws(APIError) -> (items: [Object], version: String) {
        var items: [Object] = []
        var token = ""
        let collection = Object.resource.path(namespace: namespace)
        let choice = Self.choice(name, selector, field: field)
        var reader = PageReader(listLimits)
        while true {
            let path = token.isEmpty ? choice : choice + "&continue=\(ResourceKind.encoded(token))"
            let response = try await reader.read { limit, bytes async throws(APIError) in
                try await perform(.get, "\(collection)?limit=\(limit)\(path)", bodyLimit: bytes)
            }
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
            items += listLimits.isWary ? page.items.map { $0.lean() } : page.items
            guard items.count <= listLimits.objects else {
                throw .malformed(request: "list \(collection)", reason: "more than \(listLimits.objects) objects")
            }
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
            name: object.name,
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

    /// Has a pod leave its node, where its PodDisruptionBudgets allow that now; the answer is status 429 where they do
    /// not (Kubernetes documentation, "API-initiated Eviction").
    ///
    /// - Parameters:
    ///   - pod: its name.
    ///   - namespace: where it is.
    ///   - version: the group and version of the Eviction that the server takes.
    /// - Throws: `APIError`.
    package func evict(_ pod: String, namespace: String, version: String) async throws(APIError) {
        let eviction: JSONValue = [
            "apiVersion": .string(version), "kind": "Eviction",
            "metadata": ["name": .string(pod), "namespace": .string(namespace)],
        ]
        let path = Pod.resource.path(namespace: namespace, name: pod, subresource: "eviction")
        _ = try await perform(.post, path, body: encode(eviction))
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
        try await sendApply(object, manager, isDryRun: false)
    }

    /// What an object would be if that was applied; nothing is changed (Kubernetes documentation, "Dry-run").
    ///
    /// - Parameters:
    ///   - type: the object's kind.
    ///   - object: with `apiVersion`, `kind` and `metadata.name`.
    ///   - manager: the owner's name.
    /// - Returns: the object as it would be.
    /// - Throws: `APIError`, as for the apply itself.
    package func dryApply<Object: KubernetesObject>(
        _ type: Object.Type,
        _ object: JSONValue,
        manager: String
    ) async throws(APIError) -> Object {
        try await sendApply(object, manager, isDryRun: true)
    }

    /// Whether a document could be applied; nothing is changed.
    ///
    /// - Parameters:
    ///   - object: with `apiVersion`, `kind` and `metadata.name`.
    ///   - manager: the owner's name.
    /// - Throws: `APIError`, as for the apply itself.
    package func dryApply(_ object: JSONValue, manager: String) async throws(APIError) {
        let _: JSONValue = try await sendApply(object, manager, isDryRun: true)
    }

    private func sendApply<Answer: Decodable>(
        _ object: JSONValue,
        _ manager: String,
        isDryRun: Bool
    ) async throws(APIError) -> Answer {
        guard let path = ObjectPath.path(of: object) else {
            throw .unsent(request: "apply", reason: "an object without apiVersion, kind or name")
        }
        let query = "?fieldManager=\(ResourceKind.encoded(manager))&force=true" + (isDryRun ? "&dryRun=All" : "")
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

    /// The answer to a GET of any path, such as `/version`.
    package func raw(_ path: String) async throws(APIError) -> HTTPResponse { try await perform(.get, path) }
}
