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
