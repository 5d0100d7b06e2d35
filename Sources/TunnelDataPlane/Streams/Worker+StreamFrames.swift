import LinuxSystem
import TLSEngine
import TendrilCore
import TunnelProtocol

/// Frames of streams from the lanes.
extension Worker {
    /// Takes a frame of a stream; why the lane must end, if it must.
    func take(
        _ kind: FrameHeader.Kind,
        _ payload: borrowing Span<UInt8>,
        _ lane: Lane,
        at now: MonotonicTime
    ) -> LaneEnd? {
        guard let set = lane.streams else { return .violation(.unexpectedFrame) }
        do throws(ProtocolViolation) {
            if kind == .streamResume {
                try takeResume(payload, set, lane, at: now)
            } else if kind == .streamMove {
                try takeMove(payload, set, lane, at: now)
            } else if kind == .streamOpen {
                try takeOpen(payload, set, at: now)
            } else if let stream = set.streams[StreamFrame.stream(payload)] {
                try take(kind, payload, stream, at: now)
            } else if set.carrier === lane, [.streamOpened, .streamData, .streamEnd].contains(kind) {
                // It was given up here while its frames were under way. Of what still comes on a connection that was
                // replaced the peer is told on its successor.
                disown(StreamFrame.stream(payload), in: set, StreamReset(.lost))
            }
            if set.hasWork, let carrier = set.carrier { markPending(carrier) }
            return nil
        } catch {
            return .violation(error)
        }
    }

    private func take(
        _ kind: FrameHeader.Kind,
        _ payload: borrowing Span<UInt8>,
        _ stream: Stream,
        at now: MonotonicTime
    ) throws(ProtocolViolation) {
        switch kind {
        case .streamData:
            guard stream.opening == .open else { throw .badStream }
            let count = payload.count - StreamFrame.dataHead
            let new = try stream.machine.accept(offset: StreamFrame.offset(payload), count: count)
            guard new.count > 0 else { return }
            stream.machine.receive(new.count)
            let bytes = payload.extracting((StreamFrame.dataHead + new.skip)..<payload.count)
            bytes.withUnsafeBytes { deliver($0, to: stream, at: now) }
        case .streamWindow:
            let credit = StreamFrame.credit(payload)
            try takeCredit(credit.received, credit.limit, stream, at: now)
        case .streamOpened:
            guard stream.isOurs else { throw .badStream }
            try takeCredit(0, StreamFrame.window(payload), stream, at: now)
            opened(stream, at: now)
        case .streamEnd:
            guard stream.opening == .open else { throw .badStream }
            if try stream.machine.receiveEnd(at: StreamFrame.offset(payload)) { finishDelivery(stream) }
        case .streamReset:
            let reset = try StreamReset(StreamFrame.rest(payload, after: 4))
            if reset.reason == .lost, let freed = stream.machine.forgotten() {
                stream.outbox.drop(freed)
                break
            }
            // Only this side knows whether whoever asked here has gone.
            let isCancelled = stream.isOurs && reset.reason == .cancelled
            discard(stream, because: isCancelled ? StreamReset(.lost) : reset, tellPeer: false, at: now)
        default: throw .unexpectedFrame
        }
        settle(stream, at: now)
    }

    /// The peer asks for a stream.
    private func takeOpen(
        _ payload: borrowing Span<UInt8>,
        _ set: StreamSet,
        at now: MonotonicTime
    ) throws(ProtocolViolation) {
        let id = StreamFrame.stream(payload)
        guard set.isPeers(id), set.run == nil || set.isOfLane(id) else { throw .badStream }
        // It was repeated, for its answer was on a lane that was lost; or there is no lane on which it could be answered,
        // and it will be.
        guard set.streams[id] == nil, set.carrier != nil else { return }
        let target = try StreamTarget(StreamFrame.rest(payload, after: StreamFrame.openHead))
        guard mayAsk(set) else {
            streamCounters.refused(.overloaded)
            return disown(id, in: set, StreamReset(.overloaded))
        }
        let stream = Stream(
            id,
            to: target,
            isOurs: false,
            opening: .connecting,
            limit: StreamFrame.window(payload),
            in: set,
            serial: takeSerial(),
            chunks: chunks,
            at: now
        )
        add(stream)
        connect(stream, at: now)
    }

    private func takeCredit(
        _ received: UInt64,
        _ limit: UInt64,
        _ stream: Stream,
        at now: MonotonicTime
    ) throws(ProtocolViolation) {
        stream.outbox.drop(try stream.machine.credit(received: received, limit: limit))
        if stream.canRead { readSocket(stream, at: now) }
    }

    /// The peer says what it has of its streams, after a lane took the place of another.
    private func takeResume(
        _ payload: borrowing Span<UInt8>,
        _ set: StreamSet,
        _ lane: Lane,
        at now: MonotonicTime
    ) throws(ProtocolViolation) {
        // What was said on a lane that was replaced meanwhile is said again.
        guard set.carrier === lane else { return }
        let (entries, isLast) = try StreamFrame.resume(payload)
        for entry in entries {
            guard let stream = set.streams[entry.stream], stream.awaitsResume else { continue }
            if entry.isAbsent {
                guard set.isServer, set.run != nil else { throw .badStream }
                park(stream, at: now)
            } else if set.isServer || !stream.passage.isUnderWay {
                try resume(stream, entry, at: now)
            }
        }
        guard isLast else { return }
        for stream in Array(set.streams.values) where stream.awaitsResume && !stream.passage.isUnderWay {
            settleUnknown(stream, at: now)
        }
    }

    /// Goes on from where the peer says that it is.
    func resume(
        _ stream: Stream,
        _ entry: StreamFrame.ResumeEntry,
        at now: MonotonicTime
    ) throws(ProtocolViolation) {
        stream.awaitsResume = false
        if stream.passage.isUnderWay { stream.set.settled(stream) }
        stream.outbox.drop(try stream.machine.resume(received: entry.received, limit: entry.limit))
        if stream.canRead { readSocket(stream, at: now) }
        guard !stream.isGone else { return }
        if entry.isOpen, stream.isOurs { opened(stream, at: now) }
        if stream.opening == .open, !stream.isOurs, !entry.isOpen { stream.owesOpened = true }
        streamCounters.add(1, to: .resumed)
        settle(stream, at: now)
    }

    /// The peer does not have a stream that this side has.
    func settleUnknown(_ stream: Stream, at now: MonotonicTime) {
        stream.awaitsResume = false
        stream.passage.settle()
        if let freed = stream.machine.forgotten() {
            stream.outbox.drop(freed)
            settle(stream, at: now)
        } else if stream.isOurs, stream.opening == .requested {
            // It was never asked.
            stream.owesOpen = true
            stream.set.enqueue(stream)
        } else {
            discard(stream, because: StreamReset(.lost), tellPeer: false, at: now)
        }
    }

    /// Ends the streams whose last word has just been said.
    func settleFinished(on lane: Lane, at now: MonotonicTime) {
        guard let set = lane.streams, !set.finished.isEmpty else { return }
        for stream in set.finished { settle(stream, at: now) }
        set.finished.removeAll(keepingCapacity: true)
    }

    /// Does what follows from a change: sends what can be sent, and ends what has ended.
    func settle(_ stream: Stream, at now: MonotonicTime) {
        guard !stream.isGone else { return }
        if stream.machine.isComplete, stream.inbox.isEmpty {
            remove(stream)
            return
        }
        if stream.hasWork {
            stream.set.enqueue(stream)
            if let carrier = stream.set.carrier { markPending(carrier) }
        } else if stream.machine.owesCredit, !stream.isInLeisure {
            stream.isInLeisure = true
            leisure.append(stream)
        }
    }
}
