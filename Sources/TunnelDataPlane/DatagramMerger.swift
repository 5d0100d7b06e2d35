import TendrilCore
import TunnelProtocol

/// Holds a datagram, and those of its flow that come right behind it, until something else comes or the batch is over.
final class DatagramMerger {
    private static let capacity = VirtioHeader.byteCount + DatagramMerge.maximumLength

    private let memory = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 16)
    private var first: InnerPacket?
    /// The TUN queue of the first one.
    private var queue = 0
    /// Of the packet so far, in bytes.
    private var length = 0
    private var count = 0
    /// Whether the last one was shorter than the first: nothing may stand behind it.
    private var isComplete = false

    deinit { memory.deallocate() }

    /// Takes a packet with its virtio header behind what is held; `false` where it does not belong there.
    ///
    /// - Parameters:
    ///   - start: its virtio header.
    ///   - packet: what its headers say.
    ///   - header: what its virtio header says.
    ///   - queue: the TUN queue of its flow.
    /// - Returns: whether it was taken.
    func take(_ start: UnsafeMutableRawPointer, _ packet: InnerPacket, _ header: VirtioHeader, queue: Int) -> Bool {
        guard DatagramMerge.canBegin(packet, header) else { return false }
        guard let first else {
            memory.copyMemory(from: start, byteCount: VirtioHeader.byteCount + packet.length)
            (self.first, length, count, isComplete) = (packet, packet.length, 1, false)
            self.queue = queue
            return true
        }
        let (size, payload) = (first.length - first.payloadOffset, packet.length - packet.payloadOffset)
        guard !isComplete, payload <= size, count < DatagramMerge.maximumCount,
            length + payload <= DatagramMerge.maximumLength, packet.family == first.family, matches(start, packet)
        else { return false }
        (memory + VirtioHeader.byteCount + length)
            .copyMemory(from: start + VirtioHeader.byteCount + packet.payloadOffset, byteCount: payload)
        (length, count, isComplete) = (length + payload, count + 1, payload < size)
        return true
    }

    private func matches(_ start: UnsafeMutableRawPointer, _ packet: InnerPacket) -> Bool {
        FramePointer(behindHeader: start, packetLength: packet.length).withPacket { next in
            FramePointer(behindHeader: memory, packetLength: length).withPacket { held in
                DatagramMerge.matches(next, held, packet)
            }
        }
    }

    /// What is held, as one packet with its virtio header; it is valid until the next one is taken.
    func release() -> (start: UnsafeRawPointer, byteCount: Int, packets: Int, queue: Int)? {
        guard let first else { return nil }
        if count > 1 { finish(first) }
        self.first = nil
        return (UnsafeRawPointer(memory), VirtioHeader.byteCount + length, count, queue)
    }

    private func finish(_ first: InnerPacket) {
        let packet = (memory + VirtioHeader.byteCount).assumingMemoryBound(to: UInt8.self)
        var bytes = MutableSpan(_unsafeStart: packet, count: length)
        let header = DatagramMerge.finish(&bytes, first)
        FramePointer(behindHeader: memory, packetLength: length).write(header)
    }
}
