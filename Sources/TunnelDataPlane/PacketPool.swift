import TendrilCore
import TunnelProtocol

/// The memory in which packets of one worker wait, in slots of two sizes; what is never used costs no memory.
///
/// A slot holds a whole frame: its header, the virtio header, then the packet. The kernel reads straight into it.
struct PacketPool: ~Copyable {
    /// Room for a frame's header before what TUN writes.
    static var headRoom: Int { FrameHeader.byteCount }
    /// Where the IP packet begins in a slot.
    static var packetOffset: Int { FrameHeader.byteCount + VirtioHeader.byteCount }
    /// The size of a small slot in bytes.
    static var smallSize: Int { 2048 }
    /// The size of a large slot in bytes: any frame fits.
    static var largeSize: Int { 66 * 1024 }

    private let memory: FlatBuffer
    private let smallCount: Int
    var ledger: PacketLedger

    /// Makes a pool of free slots.
    init(small: Int = 2048, large: Int = 72) {
        precondition(Self.largeSize >= FrameHeader.byteCount + FrameHeader.maximumPayload)
        memory = FlatBuffer(capacity: small * Self.smallSize + large * Self.largeSize)
        smallCount = small
        ledger = PacketLedger(small: small, large: large)
    }

    /// The first byte of a slot; valid for the slot's size.
    @inline(__always)
    func pointer(to slot: Int32) -> UnsafeMutableRawPointer {
        let slot = Int(slot)
        let offset =
            slot < smallCount
            ? slot * Self.smallSize : smallCount * Self.smallSize + (slot - smallCount) * Self.largeSize
        return memory.base + offset
    }

    /// The frame in a slot.
    @inline(__always)
    func frame(in slot: Int32) -> UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(start: pointer(to: slot), count: ledger.length(of: slot))
    }

    /// Returns a slot that holds the same frame in as little memory as it needs.
    ///
    /// - Parameters:
    ///   - slot: a large slot with `length` bytes; it stays the caller's where another one is returned.
    ///   - length: the frame's length.
    /// - Returns: `slot` itself or a smaller one.
    mutating func compacted(_ slot: Int32, length: Int) -> Int32 {
        guard length <= Self.smallSize, let small = ledger.take(.small) else { return slot }
        pointer(to: small).copyMemory(from: pointer(to: slot), byteCount: length)
        return small
    }
}
