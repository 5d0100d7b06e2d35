internal import COpenSSL

/// Adds the gate's extension to every ClientHello of a context.
final class GateStamp: @unchecked Sendable {
    private let stamp: @Sendable ([UInt8]) -> [UInt8]

    /// Registers the extension; the context must not outlive this object.
    init(_ stamp: @escaping @Sendable ([UInt8]) -> [UInt8], on context: OpaquePointer) throws(TLSError) {
        self.stamp = stamp
        let added = SSL_CTX_add_custom_ext(
            context,
            0xFF54,
            UInt32(SSL_EXT_CLIENT_HELLO),
            { ssl, _, _, bytes, count, _, _, _, argument in
                guard let ssl, let bytes, let count, let argument else { return -1 }
                let stamp = Unmanaged<GateStamp>.fromOpaque(argument).takeUnretainedValue()
                let payload = stamp.payload(for: ssl)
                guard let copy = malloc(payload.count) else { return -1 }
                copy.copyMemory(from: payload, byteCount: payload.count)
                bytes.pointee = UnsafePointer(copy.assumingMemoryBound(to: UInt8.self))
                count.pointee = payload.count
                return 1
            },
            { _, _, _, bytes, _ in free(UnsafeMutableRawPointer(mutating: bytes)) },
            Unmanaged.passUnretained(self).toOpaque(),
            nil,
            nil
        )
        guard added == 1 else { throw .drainingQueue(while: "register the gate's extension") }
    }

    private func payload(for ssl: OpaquePointer) -> [UInt8] {
        var random = [UInt8](repeating: 0, count: 32)
        _ = SSL_get_client_random(ssl, &random, random.count)
        return stamp(random)
    }
}
