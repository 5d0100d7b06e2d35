import LinuxSystem
import TLSEngine
import TendrilCore
import TunnelProtocol

/// Frames into records.
extension Lane {
    /// Frames up to this many bytes share a record; larger ones are encrypted from where they lie.
    static var sharingLimit: Int { 4096 }

    /// Adds a control frame to the batch, which always has room for the few that a turn can bring.
    func put(_ kind: FrameHeader.Kind, _ heartbeat: Heartbeat?) {
        let length = heartbeat == nil ? 0 : Heartbeat.byteCount
        guard batch.room >= FrameHeader.byteCount + length else { return }
        batch.fill(FrameHeader.byteCount) { FrameHeader(kind: kind, length: length).write(to: &$0) }
        if let heartbeat { batch.fill(length) { heartbeat.write(to: &$0) } }
    }

    /// Adds the frame that says why this side closes.
    func putClose(_ notice: CloseNotice) {
        let payload = notice.bytes
        batch.fill(FrameHeader.byteCount) { FrameHeader(kind: .close, length: payload.count).write(to: &$0) }
        for byte in payload { batch.append(byte) }
    }

    /// Adds a packet's frame, whose header is still to be written.
    func put(_ frame: UnsafeMutableRawBufferPointer) throws(TLSError) {
        guard let start = frame.baseAddress else { return }
        var head = MutableSpan<UInt8>(
            _unsafeStart: start.assumingMemoryBound(to: UInt8.self),
            count: FrameHeader.byteCount
        )
        FrameHeader(kind: .packet, length: frame.count - FrameHeader.byteCount).write(to: &head)
        counters.add(1, to: .sentPackets)
        let bytes = RawSpan(_unsafeBytes: UnsafeRawBufferPointer(frame))
        if frame.count <= Self.sharingLimit {
            if batch.append(bytes) { return }
            try encryptBatch()
            if batch.append(bytes) { return }
        }
        try encryptBatch()
        try encrypt(bytes)
    }

    /// Adds bytes behind a head that is in the batch already.
    func put(behindHead memory: UnsafeRawBufferPointer) throws(TLSError) {
        let bytes = RawSpan(_unsafeBytes: memory)
        if memory.count <= Self.sharingLimit, batch.append(bytes) { return }
        try encryptBatch()
        try encrypt(bytes)
    }

    /// Makes a record of what the batch holds.
    func encryptBatch() throws(TLSError) {
        guard !batch.isEmpty else { return }
        let span = RawSpan(_unsafeBytes: UnsafeRawBufferPointer(start: batch.readPointer, count: batch.count))
        try encrypt(span)
        batch.clear()
    }

    func encrypt(_ bytes: RawSpan) throws(TLSError) {
        bytesUnderKey += bytes.byteCount
        if bytesUnderKey > Self.bytesPerKey {
            session.updateKey()
            bytesUnderKey = 0
        }
        if outgoing.room < bytes.byteCount + TLSSession.overhead { outgoing.compact() }
        try session.encrypt(bytes, into: &outgoing)
    }

    /// Follows how long packets wait.
    func note(_ sojourn: Nanoseconds) {
        let average = counters[.queueSojourn]
        counters.set(.queueSojourn, (average * 15 + sojourn.value / 1000) / 16)
    }

    /// Adapts the queue, and what the kernel may hold unsent, to the rate that the lane reaches.
    func adapt(at now: MonotonicTime) {
        guard limit.advance(to: now, isBacklogged: !queue.isEmpty || hasStreamWork), limit.rate > 0 else {
            return
        }
        queue.parameters = limit.parameters
        let unsent = limit.unsentBytes
        guard unsent > unsentLimit + unsentLimit / 4 || unsent < unsentLimit - unsentLimit / 4 else { return }
        unsentLimit = unsent
        socket.limitUnsent(to: unsent)
    }

    /// Brings the figures up to date that are not counted packet by packet.
    func report(at now: MonotonicTime) {
        counters.set(.queueBytes, UInt64(queue.bytes))
        counters.set(.queuePackets, UInt64(queue.count))
        if queue.isEmpty { note(Nanoseconds(0)) }
        let elapsed = now.since(lastReport.time).value
        guard elapsed >= 1_000_000_000 else { return }
        let (sent, received) = (counters[.sentBytes], counters[.receivedBytes])
        counters.set(.sendRate, (sent - lastReport.sent) * 1_000_000 / (elapsed / 1000))
        counters.set(.receiveRate, (received - lastReport.received) * 1_000_000 / (elapsed / 1000))
        lastReport = (now, sent, received)
        if let retransmits = socket.retransmits { counters.set(.retransmits, retransmits) }
    }
}
