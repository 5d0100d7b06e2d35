import HTTPModel
import KubernetesClient

/// An API server of a test, at which nothing is watched.
protocol TestAPI: HTTPTransport {}

extension TestAPI {
    /// What asks it.
    var client: KubernetesClient {
        KubernetesClient(
            servers: ["https://api"],
            security: HTTPSecurity(trust: .system),
            transport: self,
            agent: "test"
        )
    }

    func stream(
        _ request: HTTPRequest,
        _ security: HTTPSecurity,
        receive: @escaping @Sendable (UnsafeRawBufferPointer) -> Bool
    ) async throws(TransferError) -> HTTPResponse {
        throw TransferError(.connect, url: request.url, reason: "nothing is watched here")
    }
}
