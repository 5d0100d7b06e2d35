internal import CLibevent
internal import Glibc
package import LinuxSystem
package import TendrilCore

/// Answers requests on one address (libevent's HTTP server).
package final class HTTPEndpoint: @unchecked Sendable {
    /// Makes a connection (`struct bufferevent *`) for an event base (`struct event_base *`).
    package typealias ConnectionMaker = @Sendable (OpaquePointer) -> OpaquePointer?

    /// What somebody asks.
    package struct Request: Sendable {
        /// Whether something is sent, and not only asked for.
        package let isPost: Bool
        /// Without the query.
        package let path: String
        package let body: [UInt8]
    }

    /// What a path answers.
    package struct Response: Sendable {
        let status: Int
        let type: String
        let body: String

        package init(status: Int = 200, type: String = "text/plain; charset=utf-8", _ body: String) {
            self.status = status
            self.type = type
            self.body = body
        }
    }

    private let base: OpaquePointer
    private let server: OpaquePointer
    private let respond: @Sendable (Request) -> Response?
    /// How connections are made; in the clear where this is missing.
    private let connections: ConnectionMaker?

    /// Listens in the clear for those who ask for `/metrics`, `/healthz` and `/readyz`; nothing is answered before `start`.
    ///
    /// - Parameters:
    ///   - endpoint: an address of this host and a port.
    ///   - metrics: as Prometheus reads them; called on the serving thread.
    ///   - isSteady: whether nothing in the program stands still; called on the serving thread.
    ///   - readiness: whether the program does what it is there for, and a line about it; called on the serving thread.
    ///     Where it is missing, `/readyz` is not there.
    /// - Throws: `HTTPEndpointError` where the address cannot be used.
    package convenience init(
        _ endpoint: Endpoint,
        metrics: @escaping @Sendable () -> String,
        isSteady: @escaping @Sendable () -> Bool = { true },
        readiness: (@Sendable () -> (isReady: Bool, line: String))? = nil
    ) throws(HTTPEndpointError) {
        try self.init(endpoint, over: nil, bodyLimit: 0) { request in
            switch request.path {
            case "/metrics": return Response(type: "text/plain; version=0.0.4; charset=utf-8", metrics())
            case "/healthz": return isSteady() ? Response("ok\n") : Response(status: 503, "a thread stands still\n")
            case "/readyz":
                guard let (isReady, line) = readiness?() else { return nil }
                return Response(status: isReady ? 200 : 503, "\(line)\n")
            default: return nil
            }
        }
    }

    /// Listens; nothing is answered before `serve`.
    ///
    /// - Parameters:
    ///   - endpoint: an address of this host and a port.
    ///   - connections: makes connections that are not in the clear.
    ///   - bodyLimit: the largest body in bytes; with zero, only GET is answered.
    ///   - respond: the answer, or `nil` where there is none; called on the serving thread.
    /// - Throws: `HTTPEndpointError` where the address cannot be used.
    package init(
        _ endpoint: Endpoint,
        over connections: ConnectionMaker?,
        bodyLimit: Int,
        respond: @escaping @Sendable (Request) -> Response?
    ) throws(HTTPEndpointError) {
        guard let base = event_base_new() else { throw HTTPEndpointError(endpoint: endpoint, code: ENOMEM) }
        guard let server = evhttp_new(base) else {
            event_base_free(base)
            throw HTTPEndpointError(endpoint: endpoint, code: ENOMEM)
        }
        guard let bound = Self.bind(server, to: endpoint) else {
            let code = errno
            evhttp_free(server)
            event_base_free(base)
            throw HTTPEndpointError(endpoint: endpoint, code: code)
        }
        // Out of descriptors: libevent would call again at once, and for ever.
        evconnlistener_set_error_cb(evhttp_bound_socket_get_listener(bound)) { _, _ in usleep(50_000) }
        self.base = base
        self.server = server
        self.respond = respond
        self.connections = connections
        let methods =
            EVHTTP_REQ_GET.rawValue | EVHTTP_REQ_HEAD.rawValue | (bodyLimit > 0 ? EVHTTP_REQ_POST.rawValue : 0)
        evhttp_set_allowed_methods(server, UInt16(methods))
        evhttp_set_max_headers_size(server, 8192)
        evhttp_set_max_body_size(server, bodyLimit)
        evhttp_set_timeout(server, 5)
    }

    /// Listens; without a host at every address, of IPv4 alone where this host has no IPv6.
    private static func bind(_ server: OpaquePointer, to endpoint: Endpoint) -> OpaquePointer? {
        guard endpoint.host.isEmpty else { return evhttp_bind_socket_with_handle(server, endpoint.host, endpoint.port) }
        errno = 0
        if let bound = evhttp_bind_socket_with_handle(server, "::", endpoint.port) { return bound }
        // Where no interface has such an address the C library does not even read this one, and no call fails (getaddrinfo(3),
        // AI_ADDRCONFIG).
        guard [0, EAFNOSUPPORT, EADDRNOTAVAIL].contains(errno) else { return nil }
        return evhttp_bind_socket_with_handle(server, "0.0.0.0", endpoint.port)
    }

    deinit {
        evhttp_free(server)
        event_base_free(base)
    }

    /// Answers requests on a thread of its own until the process ends.
    package func start() throws(SystemError) { try WorkerThread(name: "metrics") { self.serve() }.detach() }

    /// Answers requests until the process ends.
    package func serve() {
        let context = UnsafeMutableRawPointer(to: self)
        evhttp_set_gencb(
            server,
            { request, context in
                guard let request else { return }
                context?.object(HTTPEndpoint.self).answer(request)
            },
            context
        )
        if connections != nil {
            evhttp_set_bevcb(
                server,
                { base, context in
                    guard let base else { return nil }
                    return context?.object(HTTPEndpoint.self).connections?(base)
                },
                context
            )
        }
        withExtendedLifetime(self) { _ = event_base_dispatch(base) }
    }

    private func answer(_ request: OpaquePointer) {
        let target = evhttp_request_get_uri(request).map { String(cString: $0) } ?? ""
        let asked = Request(
            isPost: evhttp_request_get_command(request) == EVHTTP_REQ_POST,
            path: String(target.prefix { $0 != "?" }),
            body: Self.body(request)
        )
        let response = respond(asked) ?? Response(status: 404, "not found\n")
        let body = Array(response.body.utf8)
        evhttp_add_header(evhttp_request_get_output_headers(request), "Content-Type", response.type)
        guard let buffer = evbuffer_new() else {
            evhttp_send_error(request, 500, nil)
            return
        }
        defer { evbuffer_free(buffer) }
        _ = evbuffer_add(buffer, body, body.count)
        evhttp_send_reply(request, CInt(response.status), nil, buffer)
    }

    private static func body(_ request: OpaquePointer) -> [UInt8] {
        guard let buffer = evhttp_request_get_input_buffer(request) else { return [] }
        let count = evbuffer_get_length(buffer)
        return [UInt8](unsafeUninitializedCapacity: count) { bytes, filled in
            filled = max(evbuffer_copyout(buffer, bytes.baseAddress, count), 0)
        }
    }
}

/// An address that metrics cannot be served at.
package struct HTTPEndpointError: Error, CustomStringConvertible {
    let endpoint: Endpoint
    let code: CInt

    package var description: String {
        let reason = code == 0 ? "the address cannot be used" : String(cString: strerror(code))
        return "could not serve metrics at \(endpoint): \(reason)"
    }
}
