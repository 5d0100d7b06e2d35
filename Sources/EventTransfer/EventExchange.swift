internal import CLibeventTLS
internal import Glibc
internal import HTTPModel
internal import LinuxSystem
internal import TLSEngine
internal import TendrilCore

/// One request under way.
///
/// After it was posted only the transfer's thread touches it. libevent's own objects are given back by ``release()`` alone, for
/// libevent does not bear that while it calls.
final class EventExchange: @unchecked Sendable {
    private let carried: CarriedRequest
    private var isOver = false
    private var tellOver: () -> Void = {}
    private var connection: OpaquePointer?
    private var timer: OpaquePointer?
    /// Whether the head of an answer came, so that what fails from then on is no matter of trust.
    private var hasAnswer = false
    private var body: [UInt8] = []
    private var failure: evhttp_request_error?

    init(_ carried: CarriedRequest) { self.carried = carried }

    var number: UInt64 { carried.number }
    private var request: HTTPRequest { carried.request }
    private var security: HTTPSecurity { carried.security }

    deinit { release() }

    /// Connects and asks.
    ///
    /// - Parameters:
    ///   - base: of the thread (`struct event_base *`).
    ///   - tellOver: is called once, when it is time to call `release`.
    func start(on base: OpaquePointer, tellOver: @escaping () -> Void) {
        self.tellOver = tellOver
        do throws(TransferError) {
            try ask(base)
        } catch {
            end(.failure(error))
        }
    }

    /// Ends without an answer, because nobody waits for it any more.
    func abandon() { end(.failure(error(.cancelled, "cancelled"))) }

    /// Gives the connection back.
    func release() {
        if let connection { evhttp_connection_free(connection) }
        if let timer { event_free(timer) }
        (connection, timer) = (nil, nil)
    }

    private func ask(_ base: OpaquePointer) throws(TransferError) {
        if let problem = request.problem(with: security) { throw error(.badRequest, problem) }
        guard security.proxy.isEmpty else { throw error(.badRequest, "proxies are not known here") }
        guard request.bodyFile == nil else { throw error(.badRequest, "files are not sent here") }
        guard let (endpoint, target) = place else { throw error(.badRequest, "the URL names no host of https") }
        let connection = try connect(base, to: endpoint)
        let context = UnsafeMutableRawPointer(to: self)
        guard let asked = evhttp_request_new({ EventExchange.from($1)?.completed($0) }, context) else {
            throw error(.interrupted, "out of memory")
        }
        evhttp_request_set_error_cb(asked) { EventExchange.from($1)?.failure = $0 }
        evhttp_request_set_header_cb(asked) {
            EventExchange.from($1)?.hasAnswer = true
            return 0
        }
        evhttp_request_set_chunked_cb(asked) { EventExchange.from($1)?.took($0) }
        let fields = evhttp_request_get_output_headers(asked)
        evhttp_add_header(fields, "Host", "\(endpoint)")
        evhttp_add_header(fields, "Connection", "close")
        for (name, value) in request.headers { evhttp_add_header(fields, name, value) }
        if let token { evhttp_add_header(fields, "Authorization", "Bearer \(token)") }
        if !request.body.isEmpty {
            evbuffer_add(evhttp_request_get_output_buffer(asked), request.body, request.body.count)
        }
        // It owns the request from here on, also where it refuses it.
        guard evhttp_make_request(connection, asked, command, target) == 0 else {
            throw error(.connect, String(cString: strerror(errno)))
        }
        StreamSocket.expectAnswers(bufferevent_getfd(evhttp_connection_get_bufferevent(connection)))
        try limit(base, connection)
    }

    private func connect(_ base: OpaquePointer, to endpoint: Endpoint) throws(TransferError) -> OpaquePointer {
        let sessions: ClientSessions
        do throws(TLSError) {
            sessions = try makeSessions()
        } catch {
            throw self.error(.tls, "\(error)")
        }
        guard let session = sessions.make(to: endpoint.host) else { throw error(.tls, "no session can be made") }
        let options = CInt(BEV_OPT_CLOSE_ON_FREE.rawValue)
        guard let stream = bufferevent_openssl_socket_new(base, -1, session, BUFFEREVENT_SSL_CONNECTING, options) else {
            ClientSessions.discard(session)
            throw error(.interrupted, "out of memory")
        }
        let made = evhttp_connection_base_bufferevent_new(base, nil, stream, endpoint.host, endpoint.port)
        guard let made else {
            bufferevent_free(stream)
            throw error(.interrupted, "out of memory")
        }
        connection = made
        evhttp_connection_set_max_headers_size(made, 64 << 10)
        // What is handed over as it comes has no end; all else is bounded here and in `took`.
        evhttp_connection_set_max_body_size(made, carried.receive == nil ? request.bodyLimit : -1)
        return made
    }

    private func makeSessions() throws(TLSError) -> ClientSessions {
        let authorities: [UInt8]? =
            switch security.trust {
            case .bundle(let bundle): bundle
            case .system: nil
            case .unproven: throw TLSError("speak to an unproven server", reasons: ["that is not known here"])
            }
        guard case .certificate(let chain, let key) = security.credential else {
            return try ClientSessions(authorities: authorities)
        }
        return try ClientSessions(authorities: authorities, identity: (chain, key))
    }

    /// A silent peer ends the exchange, and so does the end of the time for all of it.
    private func limit(_ base: OpaquePointer, _ connection: OpaquePointer) throws(TransferError) {
        var silence = (request.timeout ?? request.silence).microseconds
        evhttp_connection_set_timeout_tv(connection, &silence)
        guard let timeout = request.timeout else { return }
        var whole = timeout.microseconds
        let late: event_callback_fn = { _, _, context in
            guard let exchange = EventExchange.from(context) else { return }
            exchange.end(.failure(exchange.error(.timeout, "no answer in time")))
        }
        timer = event_new(base, -1, 0, late, UnsafeMutableRawPointer(to: self))
        guard let timer else { throw error(.interrupted, "out of memory") }
        event_add(timer, &whole)
    }

    /// Part of a body.
    private func took(_ answer: OpaquePointer?) {
        guard !isOver, let answer, let buffer = evhttp_request_get_input_buffer(answer) else { return }
        let isWanted = (200..<300).contains(Int(evhttp_request_get_response_code(answer)))
        let count = evbuffer_get_length(buffer)
        guard count > 0, let bytes = evbuffer_pullup(buffer, -1) else { return }
        let part = UnsafeRawBufferPointer(start: bytes, count: count)
        // libevent drops what it has shown.
        if isWanted, let receive = carried.receive {
            if !receive(part) { abandon() }
        } else if body.count + count <= request.bodyLimit {
            body += part
        } else {
            end(.failure(error(.tooLarge, "the body is larger than \(request.bodyLimit) bytes")))
        }
    }

    /// The end of the answer, or what became of the request.
    private func completed(_ answer: OpaquePointer?) {
        guard !isOver else { return }
        let status = answer.map { Int(evhttp_request_get_response_code($0)) } ?? 0
        // One that was never sent is shown as an answer without a status.
        guard failure == nil, let answer, status != 0 else { return end(.failure(reason)) }
        end(.success(HTTPResponse(status: status, headers: Self.headers(of: answer), body: body)))
    }

    private func end(_ result: Result<HTTPResponse, TransferError>) {
        guard !isOver else { return }
        isOver = true
        carried.resume(result)
        tellOver()
    }

    /// Why there is no answer.
    private var reason: TransferError {
        if !hasAnswer, let stream = connection.flatMap({ evhttp_connection_get_bufferevent($0) }) {
            if let distrust = ClientSessions.distrust(in: bufferevent_openssl_get_ssl(stream)) {
                return error(.untrusted, distrust)
            }
            let code = bufferevent_get_openssl_error(stream)
            if code != 0 { return error(.tls, TLSError.text(code)) }
        }
        switch failure {
        case EVREQ_HTTP_TIMEOUT: return error(.timeout, "the peer is silent")
        case EVREQ_HTTP_DATA_TOO_LONG:
            return error(.tooLarge, "the body is larger than \(request.bodyLimit) bytes")
        case EVREQ_HTTP_INVALID_HEADER: return error(.interrupted, "the answer is malformed")
        case nil: return error(.connect, "no connection")
        default: return error(.interrupted, "the connection ended before the answer did")
        }
    }

    private func error(_ kind: TransferError.Kind, _ reason: String) -> TransferError {
        TransferError(kind, url: request.url, reason: reason)
    }

    /// Where the request goes, and what for.
    private var place: (Endpoint, target: String)? {
        guard request.url.hasPrefix("https://") else { return nil }
        let rest = request.url.dropFirst(8)
        let authority = rest.prefix { $0 != "/" && $0 != "?" }
        let target = rest[authority.endIndex...]
        guard let endpoint = Endpoint(authority) ?? Endpoint("\(authority):443"), !endpoint.host.isEmpty else {
            return nil
        }
        return (endpoint, target.hasPrefix("/") ? String(target) : "/\(target)")
    }

    /// The bearer token that is shown, if there is one; without it the request is one of nobody's, and is refused.
    private var token: String? {
        switch security.credential {
        case .token(let secret): secret.text
        case .tokenFile(let path): (try? DurableFile.read(path)).map { Secret($0.prefix { $0 > 0x20 }).text }
        default: nil
        }
    }

    private var command: evhttp_cmd_type {
        switch request.method {
        case .get: EVHTTP_REQ_GET
        case .post: EVHTTP_REQ_POST
        case .put: EVHTTP_REQ_PUT
        case .patch: EVHTTP_REQ_PATCH
        case .delete: EVHTTP_REQ_DELETE
        }
    }

    private static func from(_ context: UnsafeMutableRawPointer?) -> EventExchange? {
        context?.object(EventExchange.self)
    }

    private static func headers(of answer: OpaquePointer) -> [String: String] {
        var headers: [String: String] = [:]
        var next = evhttp_request_get_input_headers(answer)?.pointee.tqh_first
        while let field = next?.pointee {
            headers[String(cString: field.key).lowercased()] = String(cString: field.value)
            next = field.next.tqe_next
        }
        return headers
    }
}
