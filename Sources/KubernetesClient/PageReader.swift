internal import ClusterModel
internal import HTTPModel

/// How much of a collection is read.
struct ListLimits: Sendable {
    /// At once, where pages do not turn out too large.
    var page = 500
    /// Of one page, in bytes.
    var pageBytes = 64 << 20
    /// Of all pages, in bytes.
    var bytes = Int.max
    /// Of all pages.
    var objects = Int.max
    /// Whether nothing is kept of an object but what is needed.
    var isWary = false

    /// For collections that others fill: a hundred of them are read side by side.
    static let wary = ListLimits(page: 50, pageBytes: 4 << 20, bytes: 256 << 20, objects: 10_000, isWary: true)
}

/// Reads pages of which none is larger than it may be.
struct PageReader {
    private let limits: ListLimits
    private var page: Int
    private var left: Int

    /// Begins with pages of at most so many objects.
    init(_ limits: ListLimits, page: Int = .max) {
        self.limits = limits
        (self.page, left) = (min(page, limits.page), limits.bytes)
    }

    /// Asks for the next page, and for a smaller one where it turns out too large.
    ///
    /// - Parameter ask: for at most so many objects and bytes.
    /// - Returns: the page.
    /// - Throws: `APIError`, also where all pages together are too large.
    mutating func read(
        _ ask: (_ objects: Int, _ bytes: Int) async throws(APIError) -> HTTPResponse
    ) async throws(APIError) -> HTTPResponse {
        while true {
            do throws(APIError) {
                let response = try await ask(page, min(limits.pageBytes, left))
                left -= response.body.count
                return response
            } catch {
                guard error.isTooLarge, page > 1, left > limits.pageBytes else { throw error }
                page = max(1, page / 8)
            }
        }
    }
}
