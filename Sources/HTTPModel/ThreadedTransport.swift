internal import Synchronization

/// The number of the request that was begun last, of all transports.
private let lastNumber = Atomic<UInt64>(0)

/// A request on its way to the thread that carries it.
package struct CarriedRequest: Sendable {
    /// No other request has it.
    package let number: UInt64
    /// What is asked.
    package let request: HTTPRequest
    /// Whom to believe, and as whom to speak.
    package let security: HTTPSecurity
    /// Takes part of a body as it comes and says whether to go on; `nil` where all of it is wanted in the end.
    package let receive: (@Sendable (UnsafeRawBufferPointer) -> Bool)?
    /// Takes what came of it; it is called once, whatever that is.
    package let resume: @Sendable (Result<HTTPResponse, TransferError>) -> Void
}

/// A transport whose requests are carried by a thread of its own, which is told by messages.
package protocol ThreadedTransport: HTTPTransport {
    /// Begins a request.
    func begin(_ carried: CarriedRequest)

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
        receive: (@Sendable (UnsafeRawBufferPointer) -> Bool)?
    ) async throws(TransferError) -> HTTPResponse {
        let number = lastNumber.wrappingAdd(1, ordering: .relaxed).newValue
        let result: Result<HTTPResponse, TransferError> = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                begin(
                    CarriedRequest(number: number, request: request, security: security, receive: receive) {
                        continuation.resume(returning: $0)
                    }
                )
                // Who was cancelled before asks nothing any more, but may still say what it did.
                if Task.isCancelled, request.method == .get { cancel(number) }
            }
        } onCancel: {
            cancel(number)
        }
        return try result.get()
    }
}
