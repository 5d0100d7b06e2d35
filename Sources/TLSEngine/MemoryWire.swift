internal import COpenSSL
internal import TendrilCore

/// What OpenSSL reads from and writes to during one call: memory that the caller lent.
///
/// It is an allocation of its own, for OpenSSL calls back while the session is being mutated.
struct MemoryWire {
    var input: UnsafePointer<UInt8>?
    var inputCount = 0
    var output: UnsafeMutablePointer<UInt8>?
    var outputRoom = 0
    var outputCount = 0
}

/// The BIO method that moves bytes between OpenSSL and a `MemoryWire`.
enum MemoryWireMethod {
    /// One for the process, made on first use and never freed.
    nonisolated(unsafe) static let pointer: OpaquePointer? = make()

    private static func make() -> OpaquePointer? {
        guard let method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "tendril wire") else { return nil }
        BIO_meth_set_read_ex(method) { bio, target, room, moved in
            tendril_bio_clear_retry(bio)
            guard let wire = MemoryWireMethod.wire(of: bio), let target, let moved else { return 0 }
            guard let input = wire.pointee.input, wire.pointee.inputCount > 0 else {
                tendril_bio_set_retry_read(bio)
                return 0
            }
            let count = min(room, wire.pointee.inputCount)
            UnsafeMutableRawPointer(target).copyMemory(from: input, byteCount: count)
            wire.pointee.input = input + count
            wire.pointee.inputCount -= count
            moved.pointee = count
            return 1
        }
        BIO_meth_set_write_ex(method) { bio, source, count, moved in
            tendril_bio_clear_retry(bio)
            guard let wire = MemoryWireMethod.wire(of: bio), let source, let moved, let output = wire.pointee.output,
                count <= wire.pointee.outputRoom
            else { return 0 }
            UnsafeMutableRawPointer(output).copyMemory(from: source, byteCount: count)
            wire.pointee.output = output + count
            wire.pointee.outputRoom -= count
            wire.pointee.outputCount += count
            moved.pointee = count
            return 1
        }
        BIO_meth_set_ctrl(method) { _, command, _, _ in command == BIO_CTRL_FLUSH ? 1 : 0 }
        return method
    }

    private static func wire(of bio: OpaquePointer?) -> UnsafeMutablePointer<MemoryWire>? {
        BIO_get_data(bio)?.assumingMemoryBound(to: MemoryWire.self)
    }
}
