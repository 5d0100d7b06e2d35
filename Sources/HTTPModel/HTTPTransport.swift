/// Anything that carries requests: the network, or a script in a test.
package protocol HTTPTransport: Sendable {
    /// Sends a request and waits for the whole response, of any status.
    func send(_ request: HTTPRequest, _ security: HTTPSecurity) async throws(TransferError) -> HTTPResponse

    /// Sends a request and hands over the body of a 2xx response as it comes, on the transport's own thread.
    ///
    /// - Parameters:
    ///   - request: has no timeout.
    ///   - security: as in `send`.
    ///   - receive: takes bytes and returns whether to go on.
    /// - Returns: the response's head, with the body where the status is not 2xx.
    /// - Throws: `TransferError`, of kind `cancelled` after `receive` said no.
    func stream(
        _ request: HTTPRequest,
        _ security: HTTPSecurity,
        receive: @escaping @Sendable (UnsafeRawBufferPointer) -> Bool
    ) async throws(TransferError) -> HTTPResponse
}
