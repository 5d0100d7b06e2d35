import CCurl
import Foundation

/// Fetches a text over HTTP from within another network namespace (libcurl).
enum HTTPGet {
    private final class Body {
        var status = 0
        var bytes: [UInt8] = []
    }

    /// Fetches `url` on a thread that lives in the namespace at `path`, whatever the status of the answer is.
    static func text(_ url: String, inNamespace path: String) throws -> String {
        try answer(url, inNamespace: path).text
    }

    /// Fetches `url` as `text` does, and the status with it.
    static func answer(_ url: String, inNamespace path: String) throws -> (status: Int, text: String) {
        let body = Body()
        nonisolated(unsafe) let target = body
        if let failure = try Namespace.within(path, { fetch(url, into: target) }) {
            throw LabError("\(url): \(failure)")
        }
        return (body.status, String(decoding: body.bytes, as: UTF8.self))
    }

    private static func fetch(_ url: String, into body: Body) -> String? {
        guard let curl = curl_easy_init() else { return "out of memory" }
        defer { curl_easy_cleanup(curl) }
        let context = Unmanaged.passUnretained(body).toOpaque()
        let write: tendril_curl_writer = { bytes, size, count, context in
            guard let bytes, let context else { return 0 }
            let body = Unmanaged<Body>.fromOpaque(context).takeUnretainedValue()
            body.bytes += UnsafeRawBufferPointer(start: bytes, count: size * count)
            return size * count
        }
        tendril_curl_set_get(curl, url, 5, write, context)
        let code = curl_easy_perform(curl)
        body.status = tendril_curl_status(curl)
        return code == CURLE_OK ? nil : String(cString: curl_easy_strerror(code))
    }
}
