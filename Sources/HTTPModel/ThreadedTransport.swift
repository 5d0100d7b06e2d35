internal import Synchronization

/// The number of the request that was begun last, of all transports.
private let lastNumber = Atomic<UInt64>(0)

/// A transport whose requests are carried by a thread of its own, which is told by messages.
package protocol ThreadedTransport: HTTPTransport {
    /// What becomes of a request.
    typealias Resume = @Sendable (Result<HTTPResponse, TransferError>) -> Void
    /// Takes part of a body and says whether to go on.
    typealias Receive = @Sendable (UnsafeRawBufferPointer) -> Bool

    /// Begins a request; `resume` is called once, whatever comes of it.
    ///
    /// - Parameters:
    ///   - number: no other request has it.
    ///   - request: what is asked.
    ///   - security: whom to believe, and as whom to speak.
    ///   - receive: takes the body as it comes; `nil` where all of it is wanted in the end.
    ///   - resume: takes what came of it.
    func begin(
        _ number: UInt64,
        _ request: HTTPRequest,
        _ security: HTTPSecurity,
        receive: Receive?,
        resume: @escaping Resume
    )

    /// Gives a request up, if it is still under way.
    func cancel(_ number: UInt64)
}

extension ThreadedTransport {
    package func send(_ request: HTTPRequest, _ security: HTTPSecurity) async throws(TransferError) -> HTTPResponse {
        try await exchange(request, security, receive: nil)
    }

    package func stream(
        _ request: HTTPRequest,
        _ security: HTTPSecurity,
        receive: @escaping @Sendable (UnsafeRawBufferPointer) -> Bool
    ) async throws(TransferError) -> HTTPResponse {
        try await exchange(request, security, receive: receive)
    }

    private func exchange(
        _ request: HTTPRequest,
        _ security: HTTPSecurity,
        receive: Receive?
    ) async throws(TransferError) -> HTTPResponse {
        let number = lastNumber.wrappingAdd(1, ordering: .relaxed).newValue
        let result: Result<HTTPResponse, TransferError> = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                begin(number, request, security, receive: receive) { continuation.resume(returning: $0) }
                // Who was cancelled before asks nothing any more, but may still say what it did.
                if Task.isCancelled, request.method == .get { cancel(number) }
            }
        } onCancel: {
            cancel(number)
        }
        return try result.get()
    }
}
