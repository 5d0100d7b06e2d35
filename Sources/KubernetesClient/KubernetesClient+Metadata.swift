package import ClusterModel
internal import HTTPModel

/// What identifies objects, without what they hold.
extension KubernetesClient {
    /// A page (meta/v1 PartialObjectMetadataList).
    private struct Page: Decodable {
        struct Item: Decodable { let metadata: ObjectMetadata }

        let metadata: ListMetadata
        let items: [Item]
    }

    /// At once, where pages do not turn out too large.
    private static let pageSize = 40

    /// Reads the metadata of a collection's objects, a page at a time: a page is forgotten before the next one comes.
    ///
    /// Where that takes longer than the API server keeps a version, later pages are of a newer one.
    ///
    /// - Parameters:
    ///   - type: of which kind.
    ///   - field: a selector of a field, such as `spec.nodeName=a`; `nil` for all.
    ///   - body: does something with one after the other.
    /// - Throws: `APIError`, and what the body throws.
    package func forEachMetadata<Object: KubernetesObject>(
        _ type: Object.Type,
        field: String? = nil,
        _ body: (ObjectMetadata) async throws -> Void
    ) async throws {
        var token = ""
        let collection = Object.resource.path(namespace: nil)
        let choice = Self.choice(nil, "", field: field)
        repeat {
            let query = token.isEmpty ? choice : choice + "&continue=\(ResourceKind.encoded(token))"
            var reader = PageReader(listLimits, page: Self.pageSize)
            let page: Page
            do throws(APIError) {
                page = try decode(
                    await reader.read { limit, bytes async throws(APIError) in
                        try await perform(
                            .get,
                            "\(collection)?limit=\(limit)\(query)",
                            accept: "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
                            bodyLimit: bytes
                        )
                    }
                )
            } catch {
                // The answer says how to go on without that version (Kubernetes API Concepts, "Retrieving large results").
                guard error.isGone, let next = error.continuation, next != token else { throw error }
                token = next
                continue
            }
            for item in page.items { try await body(item.metadata) }
            token = page.metadata.continue ?? ""
        } while !token.isEmpty
    }
}

extension APIError {
    /// The token of the page that may be asked for instead.
    fileprivate var continuation: String? {
        guard case .status(_, _, let status, _) = self, let token = status.metadata?.continue else { return nil }
        return token.isEmpty ? nil : token
    }
}
