import LinuxSystem
import TLSEngine
import TendrilCore
import TunnelProtocol

/// From TUN into the queues, and from the queues into the lanes.
extension Worker {
    /// How many packets, and how many bytes, are read before lanes get their turn.
    private static var packetsPerTurn: Int { 64 }
    private static var bytesPerTurn: Int { 512 * 1024 }

    /// Reads what a queue of the TUN device has into the queues of the lanes.
    func ingest(from number: Int, at now: MonotonicTime) {
        guard number < crew.count else { return }
        let owner = crew[number]
        var bytes = 0
        var packets = 0
        defer { load.note(packets: packets, bytes: bytes) }
        while packets < Self.packetsPerTurn {
            guard let slot = spare ?? pool.ledger.take(.large) ?? reclaim() else { return }
            spare = slot
            let target = pool.pointer(to: slot) + PacketPool.headRoom
            let room = PacketPool.largeSize - PacketPool.headRoom
            guard let result = owner.read(to: target, capacity: room) else { return }
            guard case .bytes(let count) = result else {
                if case .failed(let code) = result {
                    lostQueue(number, SystemError("read from the TUN device", code: code))
                }
                return
            }
            do throws(PacketRefusal) {
                try admit(slot, count: count, at: now)
            } catch {
                counters.drop(error.reason)
            }
            packets += 1
            bytes += count
            if bytes >= Self.bytesPerTurn { return }
        }
    }

    /// Frees a large slot from the lane that holds the most, when all are taken.
    private func reclaim() -> Int32? {
        var fattest: Lane?
        for lane in liveLanes where lane.queue.largeCount > fattest?.queue.largeCount ?? 0 { fattest = lane }
        while let fattest, fattest.queue.largeCount > 0, let slot = fattest.queue.evict(&pool.ledger) {
            counters.drop(.queueFull)
            if pool.ledger.size(of: slot) == .large { return slot }
            pool.ledger.release(slot)
        }
        return nil
    }

    /// Checks a packet that TUN gave and queues it for its lane.
    private func admit(_ slot: Int32, count: Int, at now: MonotonicTime) throws(PacketRefusal) {
        guard count > VirtioHeader.byteCount else { throw PacketRefusal(.malformed) }
        let frame = FramePointer(pool.pointer(to: slot), packetLength: count - VirtioHeader.byteCount)
        guard let header = frame.virtioHeader() else { throw PacketRefusal(.offload) }
        let packet = try frame.withPacket(InnerPacket.parse)
        let hash = FlowKey(outward: packet).hash(Self.spread)
        let link = try side.outward(packet, at: now)
        guard let lane = lane(of: link, hash: hash) else {
            try handOver(slot, length: PacketPool.headRoom + count, link: link, hash: hash)
            return
        }
        try fit(frame, packet, header, mtu: lane.peer.mtu)
        enqueue(slot, length: PacketPool.headRoom + count, hash: hash, on: lane, at: now)
    }

    /// Refuses what is larger than the far end's MTU, and tells the sender; has a connection that begins know of it.
    private func fit(
        _ frame: FramePointer,
        _ packet: InnerPacket,
        _ header: VirtioHeader,
        mtu: Int
    ) throws(PacketRefusal) {
        guard !PacketTooBig.exceeds(packet, header: header, mtu: mtu) else {
            frame.withPacket { answerTooBig($0, packet, mtu: mtu) }
            throw PacketRefusal(.tooBig)
        }
        frame.clampSegmentSize(of: packet, header: header, mtu: mtu)
    }

    /// Spreads flows over lanes and queues; no secret, for a sender can only hurt flows of its own side.
    private static let spread = SipHash()

    @inline(__always)
    private func lane(of link: Int, hash: UInt64) -> Lane? {
        guard link < lanesByLink.count else { return nil }
        let count = lanesByLink[link].count
        switch count {
        case 0: return nil
        case 1: return lanesByLink[link][0]
        default: return lanesByLink[link][Int(hash % UInt64(count))]
        }
    }

    /// How many frames may wait for another worker.
    private static var handOverLimit: Int { 256 }

    /// Gives a frame to a worker that has a lane of the link.
    private func handOver(_ slot: Int32, length: Int, link: Int, hash: UInt64) throws(PacketRefusal) {
        guard let mate = mate(for: link) else { throw PacketRefusal(.noRoute) }
        let frame = Array(UnsafeRawBufferPointer(start: pool.pointer(to: slot), count: length))
        guard mate.mailbox.post(.forward(link: link, hash: hash, frame: frame), limit: Self.handOverLimit) else {
            throw PacketRefusal(.queueFull)
        }
    }

    /// Queues a frame that another worker handed over.
    func take(_ frame: [UInt8], link: Int, hash: UInt64, at now: MonotonicTime) {
        guard let lane = lane(of: link, hash: hash), frame.count <= PacketPool.largeSize,
            let slot = spare ?? pool.ledger.take(.large) ?? reclaim()
        else {
            counters.drop(.noRoute)
            return
        }
        spare = slot
        pool.pointer(to: slot).copyMemory(from: frame, byteCount: frame.count)
        let pointer = FramePointer(pool.pointer(to: slot), packetLength: frame.count - PacketPool.packetOffset)
        do throws(PacketRefusal) {
            guard let header = pointer.virtioHeader() else { throw PacketRefusal(.offload) }
            try fit(pointer, try pointer.withPacket(InnerPacket.parse), header, mtu: lane.peer.mtu)
        } catch {
            counters.drop(error.reason)
            return
        }
        enqueue(slot, length: frame.count, hash: hash, on: lane, at: now)
    }

    private func enqueue(_ slot: Int32, length: Int, hash: UInt64, on lane: Lane, at now: MonotonicTime) {
        let kept = pool.compacted(slot, length: length)
        if kept == slot { spare = nil }
        pool.ledger.record(kept, length: length, at: now)
        lane.queue.enqueue(kept, hash: hash, &pool.ledger)
        while lane.queue.bytes > lane.limit.bytes, let victim = lane.queue.evict(&pool.ledger) {
            pool.ledger.release(victim)
            counters.drop(.queueFull)
        }
        markPending(lane)
    }

    /// Tells a sender on this side to use smaller packets.
    private func answerTooBig(_ bytes: borrowing Span<UInt8>, _ packet: InnerPacket, mtu: Int) {
        guard errorAllowance.take() else { return }
        var answer = FlatBuffer(capacity: VirtioHeader.byteCount + PacketTooBig.maximumLength)
        answer.fill(VirtioHeader.byteCount) { VirtioHeader().write(to: &$0) }
        var body = MutableSpan<UInt8>(
            _unsafeStart: answer.writePointer.assumingMemoryBound(to: UInt8.self),
            count: answer.room
        )
        guard let length = PacketTooBig.write(to: &body, about: bytes, of: packet, mtu: mtu) else { return }
        _ = write(answer.base, count: VirtioHeader.byteCount + length)
    }

    /// Sends what the lane's machine and queue have, one batch at most.
    func send(_ lane: Lane, at now: MonotonicTime) {
        do throws(TLSError) {
            if lane.canEncrypt {
                guard try sendControl(lane, at: now) else { return }
                try fill(lane, at: now)
                settleFinished(on: lane, at: now)
            }
        } catch {
            close(lane, .tls(error))
            return
        }
        flush(lane)
        // A lane whose socket takes nothing is still held to its deadlines.
        if lane.isBlocked, let notice = lane.machine.overdue(at: now) { close(lane, .notice(notice)) }
        if !lane.isBlocked, !lane.queue.isEmpty || !lane.outgoing.isEmpty || lane.hasStreamWork {
            markPending(lane)
        }
    }

    /// Encrypts control frames; returns whether the lane lives on.
    private func sendControl(_ lane: Lane, at now: MonotonicTime) throws(TLSError) -> Bool {
        while let output = lane.machine.advance(to: now, isQueueEmpty: lane.queue.isEmpty) {
            switch output {
            case .send(let kind, let heartbeat): lane.put(kind, heartbeat)
            case .finish(let notice):
                // What was said last is still sent: the peer waits for it.
                try lane.encryptBatch()
                flush(lane)
                close(lane, notice.map(LaneEnd.notice) ?? .drained)
                return false
            }
        }
        return true
    }

    /// Encrypts packets and streams, each as many bytes as the other, until a full send is ready or nothing waits.
    private func fill(_ lane: Lane, at now: MonotonicTime) throws(TLSError) {
        while lane.outgoing.count + lane.batch.count < Lane.sendSize {
            let before = lane.outgoing.count + lane.batch.count
            let (first, second): (LaneShare.Kind, LaneShare.Kind) =
                lane.share.next == .packets ? (.packets, .streams) : (.streams, .packets)
            let isAlone = try !put(first, on: lane, at: now)
            if isAlone { guard try put(second, on: lane, at: now) else { break } }
            let bytes = lane.outgoing.count + lane.batch.count - before
            lane.share.sent(isAlone ? second : first, bytes, isAlone: isAlone)
        }
        try lane.encryptBatch()
    }

    /// Encrypts the next packet, or what a stream has to say; `false` where there is none.
    private func put(_ kind: LaneShare.Kind, on lane: Lane, at now: MonotonicTime) throws(TLSError) -> Bool {
        switch kind {
        case .packets: try putPacket(on: lane, at: now)
        case .streams: try lane.putStreams(at: now)
        }
    }

    /// Encrypts the next packet; `false` where none waits.
    private func putPacket(on lane: Lane, at now: MonotonicTime) throws(TLSError) -> Bool {
        guard let departure = lane.queue.dequeue(at: now, &pool.ledger) else { return false }
        defer { pool.ledger.release(departure.slot) }
        var frame = pool.frame(in: departure.slot)
        if departure.signalsCongestion {
            guard let length = slowDown(frame, lane) else {
                counters.drop(.congestion)
                return true
            }
            frame = UnsafeMutableRawBufferPointer(rebasing: frame[..<length])
        }
        lane.note(departure.sojourn)
        try lane.put(frame)
        return true
    }

    /// Marks or trims a frame's packet; returns the frame's length, or `nil` when it is to be dropped.
    private func slowDown(_ frame: UnsafeMutableRawBufferPointer, _ lane: Lane) -> Int? {
        guard let start = frame.baseAddress else { return nil }
        let pointer = FramePointer(start, packetLength: frame.count - PacketPool.packetOffset)
        guard let header = pointer.virtioHeader(), let packet = try? pointer.withPacket(InnerPacket.parse) else {
            return nil
        }
        switch pointer.signalCongestion(to: packet, header: header) {
        case .marked:
            lane.counters.add(1, to: .congestionMarks)
            return frame.count
        case .trimmed(let length):
            lane.counters.add(1, to: .congestionTrims)
            return PacketPool.packetOffset + length
        case .mustDrop:
            return nil
        }
    }

    private func flush(_ lane: Lane) {
        guard !lane.outgoing.isEmpty else { return }
        switch lane.socket.send(from: &lane.outgoing) {
        case .bytes(let count):
            lane.counters.add(count, to: .sentBytes)
            lane.limit.note(sent: count)
            if !lane.outgoing.isEmpty { block(lane) }
        case .wouldBlock: block(lane)
        case .ended: close(lane, .disconnected)
        case .failed(let code): close(lane, .socket(SystemError("send to the peer", code: code)))
        }
    }

    /// Sends a last frame as far as the socket takes it at once.
    func sayGoodbye(_ lane: Lane, _ notice: CloseNotice) {
        guard lane.canEncrypt else { return }
        lane.batch.clear()
        lane.putClose(notice)
        guard (try? lane.encryptBatch()) != nil else { return }
        _ = lane.socket.send(from: &lane.outgoing)
    }
}
