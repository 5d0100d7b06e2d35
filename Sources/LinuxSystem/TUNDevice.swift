import CTendrilShims
import Glibc

/// One queue of a TUN device that carries virtio headers.
package struct TUNQueue: ~Copyable, Sendable {
    private let descriptor: OwnedDescriptor
    /// The interface's name.
    package let name: String

    /// IFNAMSIZ: the bytes of an interface's name with its NUL.
    private static var nameCapacity: Int { 16 }

    /// Opens a queue of the device `name`, which is created where it does not exist.
    package init(name: String, isMultiQueue: Bool) throws(SystemError) {
        var buffer = [CChar](repeating: 0, count: Self.nameCapacity)
        for (index, byte) in name.utf8.enumerated() where index < Self.nameCapacity - 1 {
            buffer[index] = CChar(bitPattern: byte)
        }
        let result = tendril_tun_open(&buffer, isMultiQueue ? 1 : 0)
        descriptor = try OwnedDescriptor(result, "open the TUN device \(name) through /dev/net/tun")
        self.name = String(decoding: buffer.prefix(while: { $0 != 0 }).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Takes a descriptor that behaves like a queue: one packet a read, one a write.
    ///
    /// For tests.
    package init(owning descriptor: consuming OwnedDescriptor, name: String) {
        self.descriptor = descriptor
        self.name = name
    }

    /// The descriptor to watch.
    package var rawDescriptor: CInt { descriptor.rawValue }

    /// Asks the kernel to leave packets whole; returns whether it agreed.
    package func offer(_ offloads: Offloads) -> Bool {
        tendril_tun_set_offload(descriptor.rawValue, UInt32(offloads.rawValue)) == 0
    }

    /// What the kernel may leave undone in the packets that it gives (TUNSETOFFLOAD).
    package struct Offloads: OptionSet, Sendable {
        package let rawValue: UInt32
        package init(rawValue: UInt32) { self.rawValue = rawValue }

        /// Transport checksums.
        package static let checksum = Offloads(rawValue: UInt32(TUN_F_CSUM))
        /// TCP super-packets, with and without ECN.
        package static let segmentation = Offloads(rawValue: UInt32(TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN))
        /// UDP super-packets (Linux 6.2).
        package static let datagrams = Offloads(rawValue: 0x20 | 0x40)
    }

    /// Reads one packet with its virtio header to `address`.
    @inline(__always)
    package func read(to address: UnsafeMutableRawPointer, capacity: Int) -> Transfer {
        Transfer(retrying { Glibc.read(descriptor.rawValue, address, capacity) }, zeroMeansEnd: true)
    }

    /// Writes one packet with its virtio header.
    @inline(__always)
    package func write(_ address: UnsafeRawPointer, count: Int) -> Transfer {
        Transfer(retrying { Glibc.write(descriptor.rawValue, address, count) }, zeroMeansEnd: false)
    }
}
