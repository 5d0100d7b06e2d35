internal import ClusterModel
internal import Glibc
package import HTTPModel
internal import LinuxSystem
package import ShootPlan
internal import TendrilCore

/// A bucket of an S3-compatible store (Amazon S3 API Reference, version 2006-03-01), which its path names.
///
/// Every request is signed, but for what it carries, and says so; no redirect is followed, and no credential leaves for another
/// host.
package struct SnapshotStore: Sendable {
    /// The files, or a Secret's keys, that hold the access key and whom to believe.
    package enum File: String, CaseIterable, Sendable {
        case keyID = "accessKeyID"
        case key = "secretAccessKey"
        /// CAs in PEM; the system's where it is missing.
        case authorities = "ca.crt"
    }

    /// Of 1000 objects each: what a shoot leaves in two years while nobody removes anything.
    private static let pages = 100

    private let url: String
    /// How large what is sent may be, in bytes, where that is known.
    private let limit: Int?
    private let security: HTTPSecurity
    private let transport: any HTTPTransport

    /// Takes where the bucket is, and as whom to ask.
    ///
    /// - Parameters:
    ///   - endpoint: `https://…`, without a slash at its end.
    ///   - region: by which requests are signed.
    ///   - bucket: its name.
    ///   - transport: carries the requests, and files.
    ///   - file: what one of the files holds; `nil` where it is missing.
    /// - Throws: `SettingsError` where there is no access key.
    package init(
        endpoint: String,
        region: String,
        bucket: String,
        transport: any HTTPTransport,
        file: (File) throws -> [UInt8]?
    ) throws {
        func text(_ name: File) throws -> [UInt8] {
            let whole = try file(name) ?? []
            // Files end with a line's end.
            let bytes = Array(whole.prefix(upTo: (whole.lastIndex { $0 > 0x20 } ?? -1) + 1))
            guard !bytes.isEmpty, bytes.allSatisfy({ (0x21...0x7E).contains($0) }) else {
                throw SettingsError(description: "\(name.rawValue) is missing, or is no line of printable characters")
            }
            return bytes
        }
        let keyID = String(decoding: try text(.keyID), as: UTF8.self)
        let key = Secret(try text(.key))
        let authorities = try file(.authorities)
        url = "\(endpoint)/\(bucket)"
        limit = SnapshotRules.uploadLimit(endpoint)
        security = HTTPSecurity(
            trust: authorities.map { HTTPSecurity.Trust.bundle($0) } ?? .system,
            credential: .awsSignature(region: region, service: "s3", keyID: keyID, key: key)
        )
        self.transport = transport
    }

    /// The snapshots of one shoot.
    ///
    /// - Parameter folder: what its keys begin with.
    /// - Returns: all of them, in no order; what else is there is passed over.
    /// - Throws: where the store does not answer as it should.
    package func list(_ folder: String) async throws -> [StoredSnapshot] {
        var found: [StoredSnapshot] = []
        var token: String?
        for _ in 0..<Self.pages {
            // Sorted, and with nothing left to encode: so it is signed as it is sent.
            var query = "list-type=2&max-keys=1000&prefix=\(ResourceKind.encoded(folder))"
            if let token { query = "continuation-token=\(ResourceKind.encoded(token))&\(query)" }
            let page = try await page(query, "list \(folder)")
            found += page.items.compactMap { StoredSnapshot(key: $0.key, size: $0.size, in: folder) }
            token = page.token
            if token == nil { return found }
        }
        throw TextFailure("list \(folder): there are more than \(Self.pages) pages of objects")
    }

    /// How large an object is that the store has, in bytes; `nil` where it has none of this key.
    package func size(of key: String) async throws -> Int? {
        // Of all keys that begin so it is the first.
        let page = try await page("list-type=2&max-keys=1&prefix=\(ResourceKind.encoded(key))", "look for \(key)")
        return page.items.first { $0.key == key }?.size
    }

    /// Removes an object; one that is not there is removed already.
    package func delete(_ key: String) async throws {
        _ = try await ask(HTTPRequest(.delete, place(key), timeout: .seconds(30)), "delete \(key)", alsoMissing: true)
    }

    /// Puts a file there, which is read while it is sent; what the store acknowledges it has as a whole.
    ///
    /// - Parameters:
    ///   - path: the file.
    ///   - key: what it is to be called there.
    /// - Throws: where the store does not take it; what is too large for it is not sent.
    package func upload(_ path: String, as key: String) async throws {
        if let limit, let size = FileStamp.size(of: path), size > limit {
            let remedy = "make the database smaller: defrag it, or delete objects"
            throw TextFailure(
                "upload \(key): the snapshot has \(size) bytes, and the store takes \(limit) in one request; \(remedy)"
            )
        }
        let request = HTTPRequest(
            .put,
            place(key),
            headers: [("Content-Type", "application/octet-stream")],
            bodyFile: path,
            timeout: nil,
            bodyLimit: 64 << 10
        )
        _ = try await ask(request, "upload \(key)")
    }

    /// Fetches an object into a new file.
    ///
    /// - Parameters:
    ///   - key: which.
    ///   - path: where nothing is yet.
    ///   - size: how large it has to be, in bytes; no more is ever written.
    /// - Throws: where it cannot be fetched, or is of another size; the file may be there in part then.
    package func download(_ key: String, to path: String, size: Int) async throws {
        let file = try GrowingFile(path, limit: size)
        let request = HTTPRequest(.get, place(key), timeout: nil, bodyLimit: 64 << 10)
        do {
            let response = try await transport.stream(Self.unsigned(request), security) { file.append($0) }
            try Self.judge(response, "download \(key)")
        } catch {
            if let failure = file.failure { throw failure }
            throw error
        }
        try file.finish()
    }

    private func place(_ key: String) -> String {
        // Keys are made of characters that stand for themselves.
        "\(url)/\(key)"
    }

    /// One page of the list of objects.
    private func page(_ query: String, _ what: String) async throws -> SnapshotListing {
        let request = HTTPRequest(.get, "\(url)?\(query)", timeout: .seconds(30), bodyLimit: SnapshotListing.limit)
        guard let page = SnapshotListing(try await ask(request, what).body) else {
            throw TextFailure("\(what): the store's answer is no listing")
        }
        return page
    }

    private func ask(_ request: HTTPRequest, _ what: String, alsoMissing: Bool = false) async throws -> HTTPResponse {
        let response = try await transport.send(Self.unsigned(request), security)
        if alsoMissing, response.status == 404 { return response }
        try Self.judge(response, what)
        return response
    }

    /// A request that says that its body is not signed: S3 takes none that says nothing of its body (Amazon S3 API Reference,
    /// "Authenticating Requests"), and libcurl says it by itself only in later releases than Debian 12's 7.88.
    private static func unsigned(_ request: HTTPRequest) -> HTTPRequest {
        var request = request
        request.headers.append((name: "x-amz-content-sha256", value: "UNSIGNED-PAYLOAD"))
        return request
    }

    private static func judge(_ response: HTTPResponse, _ what: String) throws {
        guard (200..<300).contains(response.status) else {
            let text = String(decoding: response.body.prefix(4096), as: UTF8.self)
            throw TextFailure("\(what): status \(response.status), \(CloudFailure.message(text))")
        }
    }
}

/// A failure in words.
struct TextFailure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = PrintableText.make(description.utf8) }
}

/// A new file that grows to a known size and not beyond it; one thread after the other writes.
private final class GrowingFile: Sendable {
    private struct State {
        var size = 0
        var failure: TextFailure?
    }

    private let file: CInt
    private let limit: Int
    private let path: String
    private let state = Guarded(State())

    init(_ path: String, limit: Int) throws {
        (self.path, self.limit) = (path, limit)
        file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw SystemError("create \(path)", code: errno) }
    }

    deinit { if file >= 0 { close(file) } }

    var failure: TextFailure? { state.withLock { $0.failure } }

    /// Takes more of it; whether to go on.
    func append(_ bytes: UnsafeRawBufferPointer) -> Bool {
        state.withLock { state in
            guard bytes.count <= limit - state.size else {
                state.failure = TextFailure("\(path): more than \(limit) bytes came")
                return false
            }
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = write(file, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
                if count < 0, errno == EINTR { continue }
                guard count > 0 else {
                    state.failure = TextFailure("\(SystemError("write \(path)", code: count < 0 ? errno : EIO))")
                    return false
                }
                rest = rest.dropFirst(count)
            }
            state.size += bytes.count
            return true
        }
    }

    /// Whether all of it is there, and lasts.
    func finish() throws {
        let size = state.withLock { $0.size }
        guard size == limit else { throw TextFailure("\(path): \(size) bytes came, and not \(limit)") }
        guard fsync(file) == 0 else { throw SystemError("sync \(path)", code: errno) }
    }
}
