package import TendrilCore

/// One HTTP request.
package struct HTTPRequest: Sendable {
    /// The methods that the Kubernetes API knows (RFC 9110 section 9, RFC 5789).
    package enum Method: String, Sendable {
        case get = "GET"
        case post = "POST"
        case put = "PUT"
        case patch = "PATCH"
        case delete = "DELETE"
    }

    package var method: Method
    /// `https://…`; `http://` only to a loopback address.
    package var url: String
    /// Names and values, which may hold no control characters.
    package var headers: [(name: String, value: String)]
    package var body: [UInt8]
    /// The file that is the body instead, which is read while it is sent; only libcurl's transport takes one.
    package var bodyFile: String?
    /// How long the whole exchange may take; `nil` for a stream, which ends when nothing comes for `silence`.
    package var timeout: Nanoseconds?
    /// How long a stream may be silent.
    package var silence: Nanoseconds
    /// The largest body that is taken, in bytes.
    package var bodyLimit: Int

    package init(
        _ method: Method,
        _ url: String,
        headers: [(name: String, value: String)] = [],
        body: [UInt8] = [],
        bodyFile: String? = nil,
        timeout: Nanoseconds? = .seconds(15),
        silence: Nanoseconds = .seconds(90),
        bodyLimit: Int = 4 << 20
    ) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.bodyFile = bodyFile
        self.timeout = timeout
        self.silence = silence
        self.bodyLimit = bodyLimit
    }

    /// What makes it a request that is not sent; `nil` where it is one that is.
    package func problem(with security: HTTPSecurity) -> String? {
        guard url.hasPrefix("https://") || isToLoopback else { return "the URL is not https" }
        if case .unproven = security.trust {
            guard case .none = security.credential else { return "a credential is never sent to an unproven peer" }
        }
        let texts = headers.flatMap { [$0.name, $0.value] } + [url]
        let isClean = texts.allSatisfy { $0.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F } }
        return isClean ? nil : "the request holds control characters"
    }

    /// Whether the URL names this host by address, where plain HTTP stays inside.
    package var isToLoopback: Bool {
        ["http://127.0.0.1:", "http://[::1]:"].contains { url.hasPrefix($0) && !url.contains("@") }
    }
}

/// What came back.
package struct HTTPResponse: Sendable {
    package let status: Int
    /// The last value of each field, by lower-case name.
    package let headers: [String: String]
    /// Empty where the body was streamed.
    package let body: [UInt8]

    package init(status: Int, headers: [String: String] = [:], body: [UInt8] = []) {
        self.status = status
        self.headers = headers
        self.body = body
    }
}

/// Who is talked to, and as whom.
package struct HTTPSecurity: Sendable {
    /// Which certificates of the peer are believed.
    package enum Trust: Sendable {
        /// Those that lead to this CA bundle in PEM.
        case bundle([UInt8])
        /// Those that lead to the system's authorities.
        case system
        /// Any: only to fetch what proves itself by a signature; no credential is ever sent over it.
        case unproven
    }

    /// How this side proves itself.
    package enum Credential: Sendable {
        case none
        /// A client certificate with its chain, and its key, both in PEM.
        case certificate([UInt8], key: Secret)
        /// A bearer token (RFC 6750).
        case token(Secret)
        /// A bearer token in a file that somebody else renews; it is read for each request.
        case tokenFile(String)
        /// A signature by an access key of AWS (AWS documentation, "Signature Version 4").
        case awsSignature(region: String, service: String, keyID: String, key: Secret)

        /// Whether the request itself is signed.
        package var isSignature: Bool { if case .awsSignature = self { true } else { false } }
    }

    package var trust: Trust
    package var credential: Credential
    /// The proxy's URL; empty for none.
    ///
    /// The environment's settings are not looked at.
    package var proxy: String
    /// Hosts that are reached directly, comma-separated as in NO_PROXY.
    package var noProxy: String

    package init(trust: Trust, credential: Credential = .none, proxy: String = "", noProxy: String = "") {
        self.trust = trust
        self.credential = credential
        self.proxy = proxy
        self.noProxy = noProxy
    }
}

/// An exchange that came to no response; `isRetryable` says whether trying again can help.
package struct TransferError: Error, Hashable, CustomStringConvertible {
    /// What kind of failure it was.
    package enum Kind: String, Sendable {
        /// The request itself is not one that is sent.
        case badRequest
        case resolve
        case connect
        case proxy
        case timeout
        /// The peer's certificate is not believed.
        case untrusted
        case tls
        case interrupted
        case tooLarge
        case cancelled
    }

    package let kind: Kind
    package let url: String
    package let reason: String

    package init(_ kind: Kind, url: String, reason: String) {
        self.kind = kind
        self.url = url
        self.reason = reason
    }

    package var description: String { "could not reach \(url): \(reason)" }

    /// Whether the same request may succeed later.
    package var isRetryable: Bool { kind != .badRequest && kind != .tooLarge && kind != .cancelled }
}

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
