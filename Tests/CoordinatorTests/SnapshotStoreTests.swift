import Coordinator
import Foundation
import Glibc
import HTTPModel
import HTTPTransfer
import LinuxSystem
import ShootPlan
import TLSEngine
import TendrilCore
import TestSupport
import Testing

/// A bucket on a loopback address, which answers one request after the other.
private final class Bucket: Sendable {
    var port: UInt16 { listener.port }
    let objects = Guarded<[String: [UInt8]]>([:])
    /// The heads of the requests.
    let heads = Guarded<[String]>([])
    /// How many bytes are lost of what is put there.
    let loss = Guarded(0)
    /// Whether what is there is not listed yet.
    let lags = Guarded(false)
    /// What is answered instead, once each.
    let faults = Guarded<[String]>([])
    /// How many objects stand on a page.
    private let pageSize = 2
    private let listener = LoopbackListener()

    /// Serves until it is told to stop.
    func begin() throws {
        let thread = try WorkerThread(name: "bucket") {
            while true {
                let connection = accept(self.listener.descriptor, nil, nil)
                guard connection >= 0 else { break }
                self.serve(connection)
                close(connection)
            }
        }
        thread.detach()
    }

    func stop() { shutdown(listener.descriptor, CInt(SHUT_RDWR)) }

    private func serve(_ connection: CInt) {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65536)
        func more() -> Bool {
            let count = recv(connection, &chunk, chunk.count, 0)
            if count > 0 { bytes += chunk[..<count] }
            return count > 0
        }
        while bytes.firstRange(of: Array("\r\n\r\n".utf8)) == nil { guard more() else { return } }
        guard let end = bytes.firstRange(of: Array("\r\n\r\n".utf8)) else { return }
        let head = String(decoding: bytes[..<end.lowerBound], as: UTF8.self)
        heads.withLock { $0.append(head) }
        let length = head.firstMatch(of: /(?i)content-length: (\d+)/).flatMap { Int($0.output.1) } ?? 0
        if head.lowercased().contains("expect: 100-continue") {
            say(connection, Array("HTTP/1.1 100 Continue\r\n\r\n".utf8))
        }
        while bytes.count - end.upperBound < length { guard more() else { return } }
        let (status, body) = answer(head, Array(bytes[end.upperBound...]))
        let text = "HTTP/1.1 \(status)\r\nContent-Length: \(body.count)\r\nConnection: close\r\n\r\n"
        say(connection, Array(text.utf8) + body)
    }

    private func say(_ connection: CInt, _ bytes: [UInt8]) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let part = Array(rest.prefix(1 << 20))
            let count = send(connection, part, part.count, CInt(MSG_NOSIGNAL))
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }

    private func answer(_ head: String, _ body: [UInt8]) -> (String, [UInt8]) {
        if let fault = faults.withLock({ $0.isEmpty ? nil : $0.removeFirst() }) {
            return (fault, Array("<Error><Message>not now</Message></Error>".utf8))
        }
        let words = head.split(separator: " ")
        guard words.count > 2, let method = words.first else { return ("400 Bad Request", []) }
        let parts = words[1].split(separator: "?", maxSplits: 1).map(String.init)
        if parts.count == 2 { return ("200 OK", list(parts[1])) }
        let key = String(parts[0].dropFirst("/bucket/".count))
        return objects.withLock { objects in
            switch method {
            case "PUT":
                objects[key] = Array(body.dropLast(loss.withLock { $0 }))
                return ("200 OK", [])
            case "DELETE": return (objects.removeValue(forKey: key) == nil ? "404 Not Found" : "204 No Content", [])
            default: return objects[key].map { ("200 OK", $0) } ?? ("404 Not Found", [])
            }
        }
    }

    private func list(_ query: String) -> [UInt8] {
        var values: [String: String] = [:]
        for pair in query.split(separator: "&") {
            let halves = pair.split(separator: "=", maxSplits: 1).map { String($0).removingPercentEncoding ?? "" }
            if halves.count == 2 { values[halves[0]] = halves[1] }
        }
        let start = values["continuation-token"] ?? ""
        let listed = lags.withLock { $0 } ? [:] : objects.withLock { $0 }
        let all = listed.filter { $0.key.hasPrefix(values["prefix"] ?? "") && $0.key > start }
            .sorted { $0.key < $1.key }
        let page = all.prefix(min(pageSize, values["max-keys"].flatMap { Int($0) } ?? pageSize))
        let items = page.map { "<Contents><Key>\($0.key)</Key><Size>\($0.value.count)</Size></Contents>" }
        let next = all.count > page.count ? page.last?.key ?? "" : ""
        let token = next.isEmpty ? "" : "<NextContinuationToken>\(next)</NextContinuationToken>"
        let text = "<IsTruncated>\(!next.isEmpty)</IsTruncated>\(token)\(items.joined())"
        return Array("<ListBucketResult>\(text)</ListBucketResult>".utf8)
    }
}

@Suite("A bucket with snapshots", .timeLimit(.minutes(10)))
struct SnapshotStoreTests {
    private static let folder = "tendril/shoot--demo--one/u1/"

    private func store(_ bucket: Bucket) throws -> SnapshotStore {
        try SnapshotStore(
            endpoint: "http://127.0.0.1:\(bucket.port)",
            region: "eu1",
            bucket: "bucket",
            transport: try HTTPTransfer()
        ) { file in
            switch file {
            case .keyID: Array("AKID".utf8)
            case .key: Array("secret/+".utf8)
            case .authorities: nil
            }
        }
    }

    @Test("takes files of any size, tells of them page by page, gives them back, and loses what is removed")
    func roundTrip() async throws {
        let (bucket, directory) = (Bucket(), try TestDirectory())
        try bucket.begin()
        defer { bucket.stop() }
        let store = try store(bucket)
        let content = [UInt8]((0..<3_000_000).lazy.map { UInt8(truncatingIfNeeded: $0 / 7) })
        let file = "\(directory.path)/etcd.snapshot"
        try DurableFile.write(content, to: file, mode: 0o600)
        let names = (1...5).map { "2026010\($0)T000000Z" }
        for name in names { try await store.upload(file, as: "\(Self.folder)\(name).snapshot") }
        bucket.objects.withLock { $0["\(Self.folder)note.txt"] = [1] }
        bucket.objects.withLock { $0["tendril/shoot--demo--one/u2/20260101T000000Z.snapshot"] = [1] }
        let found = try await store.list(Self.folder).sorted { $0.time < $1.time }
        #expect(found.map(\.name) == names && found.allSatisfy { $0.size == content.count })
        for old in SnapshotPlan.surplus(found, keep: 2, at: 1_800_000_000) { try await store.delete(old.key) }
        // One that is gone is gone.
        try await store.delete("\(Self.folder)\(names[0]).snapshot")
        #expect(try await store.list(Self.folder).map(\.name).sorted() == Array(names.suffix(2)))
        let back = "\(directory.path)/back"
        let newest = try #require(found.last)
        try await store.download(newest.key, to: back, size: newest.size)
        #expect(try DurableFile.read(back, limit: 4 << 20) == content)
        // Nothing that is there is written over.
        await #expect(throws: (any Error).self) { try await store.download(newest.key, to: back, size: newest.size) }
        withExtendedLifetime(directory) {}
    }

    /// The signature of a request by its head as it came (AWS documentation, "Signature Version 4"); `nil` where it has none.
    private func signature(_ head: String, key: String) -> String? {
        let lines = head.split(separator: "\r\n").map(String.init)
        let words = (lines.first ?? "").split(separator: " ").map(String.init)
        var fields: [String: String] = [:]
        for line in lines.dropFirst() {
            let halves = line.split(separator: ":", maxSplits: 1).map(String.init)
            if halves.count == 2 { fields[halves[0].lowercased()] = String(halves[1].drop { $0 == " " }) }
        }
        guard let authorization = fields["authorization"], let date = fields["x-amz-date"], words.count == 3,
            let payload = fields["x-amz-content-sha256"],
            let parts = authorization.firstMatch(of: /Credential=AKID\/([^,]+),\s*SignedHeaders=([a-z0-9;-]+)/)?.output
        else { return nil }
        let target = words[1].split(separator: "?", maxSplits: 1).map(String.init)
        let signed = parts.2.split(separator: ";").map { "\($0):\(fields[String($0)] ?? "")\n" }.joined()
        let query = target.count == 2 ? target[1] : ""
        let canonical = "\(words[0])\n\(target[0])\n\(query)\n\(signed)\n\(parts.2)\n\(payload)"
        let text = "AWS4-HMAC-SHA256\n\(date)\n\(parts.1)\n\(Digest.hex(Array(canonical.utf8)))"
        var derived = Array("AWS4\(key)".utf8)
        for part in parts.1.split(separator: "/") { derived = Digest.hmac(Array(part.utf8), key: Secret(derived)) }
        return Hex.text(Digest.hmac(Array(text.utf8), key: Secret(derived)))
    }

    @Test("is asked in requests that are signed as they are sent, with the secret in none of them")
    func signatures() async throws {
        let (bucket, directory) = (Bucket(), try TestDirectory())
        try bucket.begin()
        defer { bucket.stop() }
        let store = try store(bucket)
        let names = (1...3).map { "\(Self.folder)2026010\($0)T000000Z.snapshot" }
        let file = try directory.write("file", "0123456789")
        for name in names { try await store.upload(file, as: name) }
        // Of two pages.
        _ = try await store.list(Self.folder)
        try await store.download(names[0], to: "\(directory.path)/back", size: 10)
        try await store.delete(names[0])
        let heads = bucket.heads.withLock { $0 }
        #expect(heads.map { String($0.prefix { $0 != " " }) } == ["PUT", "PUT", "PUT", "GET", "GET", "GET", "DELETE"])
        for head in heads {
            let lines = head.split(separator: "\r\n").dropFirst().map { $0.lowercased() }
            let names = lines.compactMap { $0.split(separator: ":").first.map(String.init) }
            let signed = head.firstMatch(of: /SignedHeaders=([a-z0-9;-]+)/)?.output.1 ?? ""
            #expect(head.contains("Credential=AKID/") && head.contains("/eu1/s3/aws4_request"))
            #expect(signed.contains("host") && signed.contains("x-amz-content-sha256"))
            #expect(signed.split(separator: ";").allSatisfy { names.contains(String($0)) }, "\(head)")
            let payloads = lines.filter { $0.hasPrefix("x-amz-content-sha256:") }
            #expect(payloads == ["x-amz-content-sha256: unsigned-payload"])
            let expected = try #require(signature(head, key: "secret/+"), "\(head)")
            #expect(head.contains("Signature=\(expected)"), "\(head)")
            #expect(!head.contains("secret"))
        }
        withExtendedLifetime(directory) {}
    }

    /// What the pods do with a bucket.
    private func steps(_ bucket: Bucket, _ directory: TestDirectory) throws -> SnapshotSteps {
        for file in [SnapshotStore.File.keyID, .key] { try directory.write(file.rawValue, "AKID\n") }
        return try SnapshotSteps(
            endpoint: "http://127.0.0.1:\(bucket.port)",
            region: "eu1",
            bucket: "bucket",
            credentials: directory.path
        )
    }

    /// A file of a size that a snapshot may have.
    private func snapshot(_ directory: TestDirectory) throws -> String {
        try directory.write("etcd.snapshot", String(repeating: "x", count: 8193))
    }

    @Test("is asked for nothing but the snapshot itself whether it has all of what was sent")
    func uploaded() async throws {
        let (bucket, directory) = (Bucket(), try TestDirectory())
        try bucket.begin()
        defer { bucket.stop() }
        bucket.objects.withLock { objects in
            for day in 1...9 { objects["\(Self.folder)2025010\(day)T000000Z.snapshot"] = [1] }
        }
        let (steps, file) = (try self.steps(bucket, directory), try self.snapshot(directory))
        let key = try await steps.upload(file, keys: Self.folder)
        #expect(bucket.objects.withLock { $0[key]?.count } == 8193)
        let heads = bucket.heads.withLock { $0 }
        #expect(heads.count == 2 && heads.last?.contains("max-keys=1&") == true, "\(heads)")
        withExtendedLifetime(directory) {}
    }

    @Test("that keeps less than was sent keeps nothing of it: it would be taken for the newest snapshot")
    func partly() async throws {
        let (bucket, directory) = (Bucket(), try TestDirectory())
        try bucket.begin()
        defer { bucket.stop() }
        let (steps, file) = (try self.steps(bucket, directory), try self.snapshot(directory))
        bucket.loss.withLock { $0 = 1 }
        await #expect(throws: (any Error).self) { try await steps.upload(file, keys: Self.folder) }
        #expect(bucket.objects.withLock { $0.isEmpty })
        let methods = bucket.heads.withLock { $0 }.map { String($0.prefix { $0 != " " }) }
        #expect(methods == ["PUT", "GET", "DELETE"])
        withExtendedLifetime(directory) {}
    }

    @Test("that does not list yet what it took keeps it: it may be whole, and nobody says that it is")
    func lagging() async throws {
        let (bucket, directory) = (Bucket(), try TestDirectory())
        try bucket.begin()
        defer { bucket.stop() }
        let (steps, file) = (try self.steps(bucket, directory), try self.snapshot(directory))
        bucket.lags.withLock { $0 = true }
        await #expect(throws: (any Error).self) { try await steps.upload(file, keys: Self.folder) }
        #expect(bucket.objects.withLock { $0.values.map(\.count) } == [8193])
        let methods = bucket.heads.withLock { $0 }.map { String($0.prefix { $0 != " " }) }
        #expect(methods == ["PUT", "GET"])
        withExtendedLifetime(directory) {}
    }

    @Test("of Amazon's is not sent what it refuses: that is said in words", arguments: [(0, true), (1, false)])
    func tooLarge(_ excess: Int, _ isTaken: Bool) async throws {
        let directory = try TestDirectory()
        // A hole has no content.
        let (file, limit) = (try directory.write("etcd.snapshot", ""), 5 << 30)
        try #require(truncate(file, limit + excess) == 0)
        func upload(to endpoint: String) async throws -> Int {
            let api = MemoryAPI { _ in HTTPResponse(status: 200) }
            let store = try SnapshotStore(endpoint: endpoint, region: "eu1", bucket: "bucket", transport: api) { name in
                name == .authorities ? nil : Array("AKID".utf8)
            }
            try await store.upload(file, as: "key")
            return api.bodies("PUT").count
        }
        for host in ["s3.eu-central-1.amazonaws.com", "s3.cn-north-1.amazonaws.com.cn"] {
            do {
                let sent = try await upload(to: "https://\(host)")
                #expect(isTaken && sent == 1)
            } catch {
                let text = "\(error)"
                #expect(!isTaken && text.contains("\(limit + excess) bytes") && text.contains("takes \(limit) in one"))
            }
        }
        // Others have other limits.
        #expect(try await upload(to: "https://amazonaws.com.example:9000") == 1)
        withExtendedLifetime(directory) {}
    }

    @Test("that gives more, less or nothing of a snapshot has given none", arguments: [9, 11])
    func otherSizes(_ size: Int) async throws {
        let (bucket, directory) = (Bucket(), try TestDirectory())
        try bucket.begin()
        defer { bucket.stop() }
        let key = "\(Self.folder)20260101T000000Z.snapshot"
        bucket.objects.withLock { $0[key] = Array("0123456789".utf8) }
        let store = try store(bucket)
        await #expect(throws: (any Error).self) {
            try await store.download(key, to: "\(directory.path)/a", size: size)
        }
        await #expect(throws: (any Error).self) {
            try await store.download("other", to: "\(directory.path)/b", size: size)
        }
        #expect((FileStamp.size(of: "\(directory.path)/a") ?? 0) <= size)
        withExtendedLifetime(directory) {}
    }

    @Test("that refuses says why, in words that do nothing to a terminal")
    func refusals() async throws {
        let bucket = Bucket()
        try bucket.begin()
        defer { bucket.stop() }
        let store = try store(bucket)
        bucket.faults.withLock { $0 = ["403 Forbidden", "301 Moved Permanently", "503 Slow Down"] }
        for status in [403, 301, 503] {
            do {
                _ = try await store.list(Self.folder)
                Issue.record("\(status)")
            } catch {
                #expect("\(error)" == "list \(Self.folder): status \(status), not now")
            }
        }
    }

    @Test("needs an access key in a line of printable characters", arguments: ["", "a b", "a\nb", "ä"])
    func keys(_ text: String) throws {
        #expect(throws: (any Error).self) {
            _ = try SnapshotStore(
                endpoint: "https://store",
                region: "eu1",
                bucket: "bucket",
                transport: try HTTPTransfer()
            ) { $0 == .authorities ? nil : Array(text.utf8) }
        }
    }
}
