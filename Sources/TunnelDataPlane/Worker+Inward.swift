import LinuxSystem
import TLSEngine
import TendrilCore
import TunnelProtocol

/// From the lanes into TUN.
extension Worker {
    /// Reads a lane's socket once and handles every frame that is complete.
    func receive(_ lane: Lane, at now: MonotonicTime) {
        incoming.clear()
        switch lane.socket.receive(into: &incoming) {
        case .bytes(let count):
            lane.counters.add(count, to: .receivedBytes)
            lane.machine.heard(at: now)
            load.note(packets: 0, bytes: count)
        case .wouldBlock: break
        case .ended:
            close(lane, .disconnected)
            return
        case .failed(let code):
            close(lane, .socket(SystemError("receive from the peer", code: code)))
            return
        }
        if let end = unwrap(lane, at: now) { close(lane, end) }
        if lane.token != 0, !lane.outgoing.isEmpty { markPending(lane) }
    }

    /// Decrypts all of `incoming`; returns why the lane must end, if it must.
    private func unwrap(_ lane: Lane, at now: MonotonicTime) -> LaneEnd? {
        while true {
            let progress: TLSSession.Progress
            do throws(TLSError) {
                progress = try lane.session.decrypt(&incoming, into: &lane.plaintext, reply: &lane.outgoing)
            } catch {
                return .tls(error)
            }
            if let end = deliver(lane, at: now) { return end }
            switch progress {
            case .noRoom: continue
            case .needsCiphertext, .done: return nil
            case .closedByPeer: return .disconnected
            }
        }
    }

    /// Handles every complete frame of a lane's plaintext.
    private func deliver(_ lane: Lane, at now: MonotonicTime) -> LaneEnd? {
        defer { writeMerged() }
        return deliverFrames(lane, at: now)
    }

    private func deliverFrames(_ lane: Lane, at now: MonotonicTime) -> LaneEnd? {
        while lane.plaintext.count >= FrameHeader.byteCount {
            let start = lane.plaintext.readPointer
            let bytes = Span<UInt8>(
                _unsafeStart: UnsafePointer(start.assumingMemoryBound(to: UInt8.self)),
                count: lane.plaintext.count
            )
            let header: FrameHeader
            do throws(ProtocolViolation) {
                header = try FrameHeader(bytes)
            } catch {
                return .violation(error)
            }
            let total = FrameHeader.byteCount + header.length
            guard bytes.count >= total else { break }
            if header.kind == .packet {
                deliverPacket(start + FrameHeader.byteCount, count: header.length, lane, at: now)
            } else if header.kind.isStream {
                let payload = bytes.extracting(FrameHeader.byteCount..<total)
                if let end = take(header.kind, payload, lane, at: now) { return end }
            } else if let end = handle(header.kind, bytes.extracting(FrameHeader.byteCount..<total), lane, at: now) {
                return end
            }
            lane.plaintext.consumed(total)
        }
        lane.plaintext.compact()
        return nil
    }

    private func handle(
        _ kind: FrameHeader.Kind,
        _ payload: borrowing Span<UInt8>,
        _ lane: Lane,
        at now: MonotonicTime
    ) -> LaneEnd? {
        do throws(ProtocolViolation) {
            switch try lane.machine.receive(kind, payload, at: now) {
            case .none: markPending(lane)
            case .roundTrip(let time):
                lane.counters.set(.roundTrip, time.value / 1000)
                counters.echoes.note(time.value)
                lane.roundTripFloor.note(time, at: now)
                lane.steadyRoundTrip.note(time)
                lane.counters.set(.steadyRoundTrip, max(1, (lane.steadyRoundTrip.value ?? time).value / 1000))
                lane.counters.set(.lastEcho, now.nanoseconds / 1_000_000)
            case .renew:
                guard case .client = side else { return .violation(.unexpectedFrame) }
                if !lane.wasAskedToRenew { requestRenewal(of: lane) }
                lane.wasAskedToRenew = true
            case .retiring:
                if !lane.isRetiring { report(.retiring(lane.peer)) }
                lane.isRetiring = true
            case .closed(let notice): return .closed(notice)
            }
            return nil
        } catch {
            return .violation(error)
        }
    }

    private func deliverPacket(_ start: UnsafeMutableRawPointer, count: Int, _ lane: Lane, at now: MonotonicTime) {
        let (packet, header): (InnerPacket, VirtioHeader)
        do throws(PacketRefusal) {
            (packet, header) = try check(start, count: count, lane, at: now)
        } catch {
            counters.drop(error.reason)
            return
        }
        lane.counters.add(1, to: .receivedPackets)
        let queue = queue(for: packet)
        if let merger {
            if merger.take(start, packet, header, queue: queue) { return }
            // The order stays.
            writeMerged()
            if merger.take(start, packet, header, queue: queue) { return }
        }
        if !crew[queue].write(start, count: count) { counters.drop(.kernel) }
    }

    /// Gives the kernel the datagrams that were put together.
    private func writeMerged() {
        guard let merged = merger?.release() else { return }
        guard !crew[merged.queue].write(merged.start, count: merged.byteCount) else { return }
        for _ in 0..<merged.packets { counters.drop(.kernel) }
    }

    /// Checks a packet from a peer, and replaces its virtio header by one that the kernel may be given.
    private func check(
        _ start: UnsafeMutableRawPointer,
        count: Int,
        _ lane: Lane,
        at now: MonotonicTime
    ) throws(PacketRefusal) -> (InnerPacket, VirtioHeader) {
        let frame = FramePointer(behindHeader: start, packetLength: count - VirtioHeader.byteCount)
        guard let offered = frame.virtioHeader() else { throw PacketRefusal(.offload) }
        let packet = try frame.withPacket(InnerPacket.parse)
        let header = try offered.validated(for: packet)
        try frame.withPacket { bytes throws(PacketRefusal) in
            try side.inward(packet, bytes: bytes, lane: lane, at: now)
        }
        frame.write(header)
        return (packet, header)
    }
}
