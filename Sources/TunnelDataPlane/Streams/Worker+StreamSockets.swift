import LinuxSystem
import TendrilCore
import TunnelProtocol

/// The local sockets of streams.
extension Worker {
    /// How much is read of one socket before others have their turn.
    private static var readPerTurn: Int { 256 * 1024 }
    /// What the bytes of a worker's streams may take of the machine's memory.
    static var memoryBudget: Int { 32 << 20 }

    /// Lends a stream's socket, while it has one.
    @discardableResult
    func withSocket<Result>(_ stream: Stream, _ body: (borrowing StreamSocket) -> Result) -> Result? {
        switch stream.socket {
        case .some(let socket): body(socket)
        case .none: nil
        }
    }

    private func counters(of stream: Stream) -> LaneCounters? { stream.set.carrier?.counters }

    /// Has a socket read again in the next turn.
    private func stayHungry(_ stream: Stream) {
        guard !stream.isHungry else { return }
        stream.isHungry = true
        hungry.append(stream)
    }

    /// Watches a socket for a stream; whether that could be done.
    func adopt(_ socket: consuming StreamSocket, by stream: Stream) -> Bool {
        stream.socket = consume socket
        return watch(stream)
    }

    /// Watches the socket of a stream, which may be ready already; whether that could be done.
    func watch(_ stream: Stream) -> Bool {
        stream.token = streamTokens.take(for: stream)
        let events: Poller.Events = [.readable, .writable, .readEnd, .edge]
        return withSocket(stream) { (try? poller.watch($0.rawDescriptor, for: events, token: stream.token)) != nil }
            ?? false
    }

    func ready(_ stream: Stream, _ events: Poller.Events, at now: MonotonicTime) {
        // A set that is written out here would be put together on the heap, at every event.
        if !events.isDisjoint(with: .arrival) { stream.canRead = true }
        if !events.isDisjoint(with: .departure) { stream.canWrite = true }
        if !events.isDisjoint(with: .hangUp) { stream.isHungUp = true }
        if !events.isDisjoint(with: .lastArrival) { (stream.canRead, stream.hasSeenEnd) = (true, true) }
        if stream.opening == .connecting {
            guard stream.canWrite else { return }
            finishConnecting(stream, at: now)
        }
        if stream.canWrite { flush(stream, at: now) }
        if stream.canRead { readSocket(stream, at: now) }
        noteLeaving(of: stream, at: now)
    }

    /// Reads what the socket has, as far as there is room for it.
    func readSocket(_ stream: Stream, at now: MonotonicTime) {
        guard !stream.isGone, stream.opening == .open || stream.isOurs else { return }
        var left = Self.readPerTurn
        while stream.canRead, left > 0, case let appetite = stream.machine.appetite, appetite > 0 {
            let room = stream.outbox.room(atMost: appetite)
            let result = withSocket(stream) { $0.receive(into: room) } ?? .ended
            guard case .bytes(let count) = result else {
                stream.outbox.filled(0)
                stop(stream, at: result, at: now)
                break
            }
            stream.outbox.filled(count)
            stream.machine.take(count)
            stream.mutedUntil = nil
            left -= count
            // A short read has emptied the socket, and the next bytes bring an event; an end that came along does not.
            if count < room.count, !stream.hasSeenEnd { stream.canRead = false }
        }
        if stream.canRead, left <= 0 { stayHungry(stream) }
        settle(stream, at: now)
        if stream.mutedUntil == nil, !stream.inbox.isEmpty { flush(stream, at: now) }
    }

    /// The socket gives no more for now, or for ever.
    private func stop(_ stream: Stream, at result: Transfer, at now: MonotonicTime) {
        stream.canRead = false
        switch result {
        case .ended:
            // Whoever waits for an answer and ends has given up.
            if stream.isOurs, stream.opening != .open, stream.request?.style == .connect {
                return discard(stream, because: StreamReset(.cancelled), tellPeer: true, at: now)
            }
            stream.machine.end()
            noteLeaving(of: stream, at: now)
        case .failed: lostSocket(of: stream, at: now)
        case .bytes, .wouldBlock: break
        }
    }

    /// Whoever asked for a stream and has left altogether takes nothing more; what was said before is still delivered.
    private func noteLeaving(of stream: Stream, at now: MonotonicTime) {
        guard stream.isHungUp, stream.isOurs, stream.machine.hasEnded, stream.farewell == nil, !stream.isGone,
            !stream.machine.isDrained
        else { return }
        stream.farewell = Farewell(of: stream.machine, at: now)
        timed.append(stream)
    }

    /// Gives bytes to the socket, or keeps them where it takes none.
    func deliver(_ bytes: UnsafeRawBufferPointer, to stream: Stream, at now: MonotonicTime) {
        counters(of: stream)?.add(bytes.count, to: .streamReceivedBytes)
        var rest = bytes
        if stream.inbox.isEmpty, stream.canWrite, stream.mutedUntil == nil {
            switch withSocket(stream, { $0.send(rest) }) ?? .ended {
            case .bytes(let count):
                delivered(count, of: stream, at: now)
                rest = UnsafeRawBufferPointer(rebasing: rest[count...])
                if !rest.isEmpty { stream.canWrite = false }
            case .wouldBlock: stream.canWrite = false
            case .ended, .failed: return lostSocket(of: stream, at: now)
            }
        }
        guard !rest.isEmpty else { return }
        stream.inbox.append(rest)
    }

    /// Gives what was kept to the socket.
    func flush(_ stream: Stream, at now: MonotonicTime) {
        guard stream.mutedUntil == nil, !stream.isGone else { return }
        while stream.canWrite, !stream.inbox.isEmpty {
            let piece = stream.inbox.piece(from: 0, atMost: .max)
            switch withSocket(stream, { $0.send(piece) }) ?? .ended {
            case .bytes(let count):
                if count < piece.count { stream.canWrite = false }
                stream.inbox.drop(count)
                delivered(count, of: stream, at: now)
            case .wouldBlock: stream.canWrite = false
            case .ended, .failed: return lostSocket(of: stream, at: now)
            }
        }
        finishDelivery(stream)
        settle(stream, at: now)
    }

    /// The socket is of no use any more: it broke, or, where it is that of whoever asked, they have gone.
    private func lostSocket(of stream: Stream, at now: MonotonicTime) {
        let reason: StreamReset.Reason = stream.isOurs ? .cancelled : .broken
        discard(stream, because: StreamReset(reason), tellPeer: true, at: now)
    }

    private func delivered(_ count: Int, of stream: Stream, at now: MonotonicTime) {
        // The answer to CONNECT goes the same way and is none of the peer's bytes.
        let own = min(stream.answerLeft, count)
        stream.answerLeft -= own
        guard count > own else { return }
        let roundTrip = stream.set.carrier?.roundTripFloor.value ?? Nanoseconds(0)
        stream.machine.deliver(
            count - own,
            at: now,
            roundTrip: roundTrip,
            mayGrow: chunks.held < Self.memoryBudget / 4 * 3
        )
    }

    /// Tells the socket that nothing follows, once it has everything.
    func finishDelivery(_ stream: Stream) {
        guard !stream.hasEndedSocket, stream.inbox.isEmpty, stream.machine.isDrained else { return }
        stream.hasEndedSocket = true
        withSocket(stream) { $0.endSending() }
    }

    /// Reads the sockets that had more than a turn allows.
    func feedHungry(at now: MonotonicTime) {
        // Whoever is still hungry stands behind those whose turn it is.
        let count = hungry.count
        for index in 0..<count {
            let stream = hungry[index]
            stream.isHungry = false
            readSocket(stream, at: now)
        }
        hungry.removeSubrange(0..<count)
    }
}
