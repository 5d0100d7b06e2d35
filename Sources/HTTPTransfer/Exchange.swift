internal import CCurl
internal import Glibc
internal import HTTPModel
internal import LinuxSystem
internal import TendrilCore

/// One request under way.
///
/// After it was posted only the transfer thread touches it.
final class Exchange: @unchecked Sendable {
    let handle: UnsafeMutableRawPointer?
    private let carried: CarriedRequest
    private let reason: UnsafeMutablePointer<CChar>
    private var lines: UnsafeMutablePointer<curl_slist>?
    /// The open file that is the body.
    private var upload: UnsafeMutableRawPointer?
    private var headers: [String: String] = [:]
    private var body: [UInt8] = []
    /// Why a callback stopped the transfer.
    private var refusal: (kind: TransferError.Kind, reason: String)?

    init(_ carried: CarriedRequest) {
        self.carried = carried
        handle = curl_easy_init()
        reason = .allocate(capacity: Int(CURL_ERROR_SIZE))
        reason.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
    }

    var number: UInt64 { carried.number }
    private var request: HTTPRequest { carried.request }
    private var security: HTTPSecurity { carried.security }

    deinit {
        curl_easy_cleanup(handle)
        curl_slist_free_all(lines)
        tendril_curl_close_upload(upload)
        reason.deallocate()
    }

    /// Sets every option; where that fails the exchange has ended.
    func prepare(isFresh: Bool) -> Bool {
        if let problem = handle == nil ? "out of memory" : request.problem(with: security) {
            fail(.badRequest, problem)
            return false
        }
        set(CURLOPT_URL, request.url)
        set(CURLOPT_CUSTOMREQUEST, request.method.rawValue)
        set(CURLOPT_NOSIGNAL, 1)
        set(CURLOPT_PROTOCOLS_STR, request.isToLoopback ? "http,https" : "https")
        set(CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_2TLS))
        set(CURLOPT_PIPEWAIT, 1)
        set(CURLOPT_FRESH_CONNECT, isFresh ? 1 : 0)
        set(CURLOPT_PROXY, security.proxy)
        set(CURLOPT_NOPROXY, security.noProxy)
        prepareTimes()
        guard prepareSecurity() else {
            fail(.tls, "libcurl does not take the certificates or the key")
            return false
        }
        for (name, value) in request.headers { lines = curl_slist_append(lines, "\(name): \(value)") }
        // libcurl would wait for leave to send a large body. It signs this line too, though it does not send it.
        if !security.credential.isSignature { lines = curl_slist_append(lines, "Expect:") }
        tendril_curl_set_headers(handle, lines)
        if !request.body.isEmpty { tendril_curl_set_body(handle, request.body, request.body.count) }
        if let file = request.bodyFile {
            upload = tendril_curl_set_upload(handle, file)
            guard upload != nil else {
                fail(.badRequest, "the file \(file) cannot be read")
                return false
            }
        }
        let context = UnsafeMutableRawPointer(to: self)
        tendril_curl_set_callbacks(
            handle,
            { bytes, _, count, context in Exchange.from(context)?.took(body: bytes, count) ?? 0 },
            { bytes, _, count, context in Exchange.from(context)?.took(header: bytes, count) ?? 0 },
            context,
            reason
        )
        return true
    }

    /// Ends the exchange with libcurl's result.
    func complete(_ code: CURLcode) {
        if code == CURLE_OK {
            let status = tendril_curl_status(handle)
            return carried.resume(.success(HTTPResponse(status: status, headers: headers, body: body)))
        }
        if let refusal { return fail(refusal.kind, refusal.reason) }
        let detail = String(cString: reason)
        fail(kind(of: code), detail.isEmpty ? String(cString: curl_easy_strerror(code)) : detail)
    }

    /// Ends the exchange without a response.
    func fail(_ kind: TransferError.Kind, _ reason: String) {
        carried.resume(.failure(TransferError(kind, url: request.url, reason: reason)))
    }

    private static func from(_ context: UnsafeMutableRawPointer?) -> Exchange? {
        context?.object(Exchange.self)
    }

    private func took(body bytes: UnsafeMutablePointer<CChar>?, _ count: Int) -> Int {
        let chunk = UnsafeRawBufferPointer(start: bytes, count: count)
        if let receive = carried.receive, (200..<300).contains(tendril_curl_status(handle)) {
            if receive(chunk) { return count }
            refusal = (.cancelled, "cancelled")
            return 0
        }
        guard body.count + count <= request.bodyLimit else {
            refusal = (.tooLarge, "the body is larger than \(request.bodyLimit) bytes")
            return 0
        }
        body += chunk
        return count
    }

    private func took(header bytes: UnsafeMutablePointer<CChar>?, _ count: Int) -> Int {
        // libcurl itself bounds a line to 100 KiB and all of them to 300.
        let line = String(decoding: UnsafeRawBufferPointer(start: bytes, count: count), as: UTF8.self)
        guard let colon = line.firstIndex(of: ":") else { return count }
        let value = line[line.index(after: colon)...].drop { $0 == " " }
        headers[line[..<colon].lowercased()] = String(value.prefix { $0 != "\r" && $0 != "\n" && $0 != "\r\n" })
        return count
    }

    private func prepareTimes() {
        set(CURLOPT_CONNECTTIMEOUT_MS, 10_000)
        set(CURLOPT_TCP_KEEPALIVE, 1)
        set(CURLOPT_TCP_KEEPIDLE, 10)
        set(CURLOPT_TCP_KEEPINTVL, 3)
        tendril_curl_set_silence_limit(handle)
        if let timeout = request.timeout {
            set(CURLOPT_TIMEOUT_MS, Int(clamping: timeout.milliseconds))
        } else {
            set(CURLOPT_LOW_SPEED_LIMIT, 1)
            set(CURLOPT_LOW_SPEED_TIME, max(Int(clamping: request.silence.seconds), 1))
        }
    }

    /// Sets whom to believe and how this side proves itself; whether all of it was taken.
    private func prepareSecurity() -> Bool {
        set(CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2))
        return prepareTrust() && prepareCredential()
    }

    private func prepareTrust() -> Bool {
        switch security.trust {
        case .bundle(let bundle):
            // libcurl would believe the CAs of the system's directory beside the bundle.
            return tendril_curl_set_text(handle, CURLOPT_CAPATH, nil) == CURLE_OK
                && tendril_curl_set_blob(handle, CURLOPT_CAINFO_BLOB, bundle, bundle.count) == CURLE_OK
        case .system: return true
        case .unproven:
            set(CURLOPT_SSL_VERIFYPEER, 0)
            set(CURLOPT_SSL_VERIFYHOST, 0)
            return true
        }
    }

    private func prepareCredential() -> Bool {
        switch security.credential {
        case .none: break
        case .certificate(let chain, let key):
            set(CURLOPT_SSLCERTTYPE, "PEM")
            set(CURLOPT_SSLKEYTYPE, "PEM")
            return tendril_curl_set_blob(handle, CURLOPT_SSLCERT_BLOB, chain, chain.count) == CURLE_OK
                && key.withBytes { bytes in
                    bytes.withUnsafeBytes {
                        tendril_curl_set_blob(handle, CURLOPT_SSLKEY_BLOB, $0.baseAddress, $0.count) == CURLE_OK
                    }
                }
        case .token(let token): add(token)
        // Without a token the request is one of nobody's, and is refused.
        case .tokenFile(let path): add(Secret(((try? DurableFile.read(path)) ?? []).prefix { $0 > 0x20 }))
        case .awsSignature(let region, let service, let keyID, let key):
            set(CURLOPT_AWS_SIGV4, "aws:amz:\(region):\(service)")
            set(CURLOPT_USERNAME, keyID)
            set(CURLOPT_PASSWORD, key.text)
        }
        return true
    }

    private func add(_ token: Secret) {
        lines = curl_slist_append(lines, "Authorization: Bearer \(token.text)")
    }

    private func set(_ option: CURLoption, _ value: Int) { tendril_curl_set_number(handle, option, value) }
    private func set(_ option: CURLoption, _ value: String) { tendril_curl_set_text(handle, option, value) }

    private func kind(of code: CURLcode) -> TransferError.Kind {
        switch code {
        case CURLE_COULDNT_RESOLVE_HOST: .resolve
        case CURLE_COULDNT_RESOLVE_PROXY, CURLE_PROXY: .proxy
        case CURLE_COULDNT_CONNECT: .connect
        case CURLE_OPERATION_TIMEDOUT: .timeout
        case CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_ISSUER_ERROR: .untrusted
        case CURLE_SSL_CONNECT_ERROR, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER, CURLE_SSL_CACERT_BADFILE: .tls
        case CURLE_URL_MALFORMAT, CURLE_UNSUPPORTED_PROTOCOL: .badRequest
        default: .interrupted
        }
    }
}
