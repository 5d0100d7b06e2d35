import LinuxSystem
import TendrilCore
import TunnelProtocol

/// The local sockets of streams.
extension Worker {
    /// How long a target may take to answer.
    static var dialPatience: Nanoseconds { .seconds(4) }
    /// How long bytes are held back behind the answer to CONNECT.
    private static var mutedTime: Nanoseconds { .milliseconds(20) }
    /// How much is read of one socket before others have their turn.
    private static var readPerTurn: Int { 256 * 1024 }
    /// How many names may be looked up at once: each takes a thread.
    private static var maximumLookUps: Int { 64 }
    /// What the streams of a worker may hold in memory.
    private static var memoryBudget: Int { 32 << 20 }

    // MARK: - Opening

    /// Asks the peer of a link for a stream, for a connection of this side.
    func open(_ request: StreamRequest, link: Int, lane: Int, at now: MonotonicTime) {
        let set = streamSet(link: link, lane: lane, at: now)
        guard set.carrier != nil else { return report(.refused(request, StreamReset(.linkDown), link: link)) }
        guard heldBytes < Self.memoryBudget, let id = set.takeID(&lastStream) else {
            return report(.refused(request, StreamReset(.overloaded), link: link))
        }
        guard let socket = request.takeSocket() else { return }
        let stream = Stream(
            id,
            to: request.target,
            isOurs: true,
            opening: .requested,
            limit: 0,
            in: set,
            serial: takeSerial(),
            chunks: chunks,
            at: now
        )
        stream.request = request
        stream.deadline = request.deadline
        stream.owesOpen = true
        add(stream)
        request.early.withUnsafeBytes { early in
            stream.outbox.append(early)
            stream.machine.take(early.count)
            heldBytes += early.count
        }
        guard adopt(socket, by: stream) else {
            return discard(stream, because: StreamReset(.overloaded, "descriptors"), tellPeer: false, at: now)
        }
        settle(stream, at: now)
    }

    /// Connects to the target that the peer asked for.
    func connect(_ stream: Stream, at now: MonotonicTime) {
        stream.deadline = now + Self.dialPatience
        switch stream.target {
        case .address(let address, let port): dial(stream, SocketAddress(address, port: port), at: now)
        case .service(let name):
            guard let address = streamRules.services[name] else {
                return discard(stream, because: StreamReset(.forbidden, name), tellPeer: true, at: now)
            }
            connect(stream, to: address, at: now)
        case .name(let name, let port):
            guard streamRules.resolvesNames else {
                return discard(stream, because: StreamReset(.forbidden, name), tellPeer: true, at: now)
            }
            stream.opening = .resolving
            resolve(Endpoint(host: name, port: port), for: stream)
        }
    }

    private func resolve(_ endpoint: Endpoint, for stream: Stream) {
        guard lookUps < Self.maximumLookUps else {
            return discard(stream, because: StreamReset(.overloaded, "names"), tellPeer: true, at: Clock.now())
        }
        let key = StreamKey(link: stream.set.link, lane: stream.set.lane, id: stream.id, serial: stream.serial)
        let mailbox = mailbox
        // The resolver may take seconds; nothing else must wait for it.
        let thread = try? WorkerThread(name: "resolver") {
            mailbox.post(.resolved(key, try? SocketAddress.resolve(endpoint)))
        }
        guard let thread else {
            return discard(stream, because: StreamReset(.overloaded), tellPeer: true, at: Clock.now())
        }
        lookUps += 1
        thread.detach()
    }

    /// Goes on with a stream whose target's name was looked up.
    func resolved(_ key: StreamKey, _ addresses: [SocketAddress]?, at now: MonotonicTime) {
        lookUps -= 1
        guard let stream = streamSets[StreamSetKey(link: key.link, lane: key.lane)]?.streams[key.id],
            stream.serial == key.serial, stream.opening == .resolving
        else { return }
        stream.opening = .connecting
        guard let addresses else {
            return discard(
                stream,
                because: StreamReset(.unknownName, "\(stream.target)"),
                tellPeer: true,
                at: now
            )
        }
        // Judged as it is dialled: what the name stands for now, and not what it stood for when somebody else asked.
        let allowed = addresses.first { $0.address.map(streamRules.allows) ?? false } ?? addresses.first
        guard let allowed else {
            return discard(stream, because: StreamReset(.unknownName, "no address"), tellPeer: true, at: now)
        }
        dial(stream, allowed, at: now)
    }

    private func dial(_ stream: Stream, _ address: SocketAddress, at now: MonotonicTime) {
        guard let target = address.address, streamRules.allows(target) else {
            return discard(stream, because: StreamReset(.forbidden, "\(address)"), tellPeer: true, at: now)
        }
        connect(stream, to: address, at: now)
    }

    private func connect(_ stream: Stream, to address: SocketAddress, at now: MonotonicTime) {
        do throws(SystemError) {
            let socket = try StreamSocket(connectingTo: address)
            socket.tuneForStream()
            guard adopt(socket, by: stream) else { throw SystemError("watch a socket", code: 0) }
        } catch {
            discard(stream, because: Self.reset(for: error, stream.target), tellPeer: true, at: now)
        }
    }

    /// The kernel says that connecting came to an end.
    private func finishConnecting(_ stream: Stream, at now: MonotonicTime) {
        let code = withSocket(stream) { $0.takeError() } ?? 0
        guard code == 0 else {
            let error = SystemError("connect", code: code)
            return discard(stream, because: Self.reset(for: error, stream.target), tellPeer: true, at: now)
        }
        stream.opening = .open
        stream.deadline = nil
        stream.owesOpened = true
        streamCounters.openings.note(now.since(stream.openedAt))
        settle(stream, at: now)
    }

    /// The far end has connected.
    func opened(_ stream: Stream, at now: MonotonicTime) {
        guard stream.opening == .requested, !stream.isGone else { return }
        stream.opening = .open
        stream.deadline = nil
        streamCounters.openings.note(now.since(stream.openedAt))
        guard let request = stream.request else { return }
        stream.request = nil
        if request.style == .connect {
            // The answer alone: who reads it takes what comes with it for an error.
            Self.established.withUnsafeBytes { stream.inbox.append($0) }
            stream.answerLeft = Self.established.count
            heldBytes += Self.established.count
            flush(stream, at: now)
            if stream.machine.taken == 0 { stream.mutedUntil = now + Self.mutedTime }
        }
    }

    private static let established = Array("HTTP/1.1 200 OK\r\n\r\n".utf8)

    private static func reset(for error: SystemError, _ target: StreamTarget) -> StreamReset {
        StreamReset(error.isConnectionRefused ? .refused : .unreachable, "\(target)")
    }

    // MARK: - Sockets

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
    private func adopt(_ socket: consuming StreamSocket, by stream: Stream) -> Bool {
        stream.socket = consume socket
        return watch(stream)
    }

    /// Watches the socket of a stream, which may be ready already; whether that could be done.
    func watch(_ stream: Stream) -> Bool {
        stream.token = takeStreamToken(for: stream)
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
            heldBytes += count
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
            // Whoever has left altogether takes nothing either, and whoever waits for an answer has given up.
            let hasLeft = stream.isHungUp && !stream.machine.isDrained
            let hasGivenUp = stream.opening != .open && stream.request?.style == .connect
            if stream.isOurs, hasLeft || hasGivenUp {
                discard(stream, because: StreamReset(.cancelled), tellPeer: true, at: now)
            } else {
                stream.machine.end()
            }
        case .failed: discard(stream, because: StreamReset(.broken), tellPeer: true, at: now)
        case .bytes, .wouldBlock: break
        }
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
            case .ended, .failed:
                return discard(stream, because: StreamReset(.broken), tellPeer: true, at: now)
            }
        }
        guard !rest.isEmpty else { return }
        stream.inbox.append(rest)
        heldBytes += rest.count
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
                heldBytes -= count
                delivered(count, of: stream, at: now)
            case .wouldBlock: stream.canWrite = false
            case .ended, .failed:
                return discard(stream, because: StreamReset(.broken), tellPeer: true, at: now)
            }
        }
        finishDelivery(stream)
        settle(stream, at: now)
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
            mayGrow: heldBytes < Self.memoryBudget / 4 * 3
        )
    }

    /// Tells the socket that nothing follows, once it has everything.
    func finishDelivery(_ stream: Stream) {
        guard !stream.hasEndedSocket, stream.inbox.isEmpty, stream.machine.isDrained else { return }
        stream.hasEndedSocket = true
        withSocket(stream) { $0.endSending() }
    }

    // MARK: - The end

    /// Ends a stream before its time.
    ///
    /// - Parameters:
    ///   - stream: a stream that is not over.
    ///   - reset: why.
    ///   - tellPeer: whether the peer does not know yet.
    ///   - now: the time.
    func discard(_ stream: Stream, because reset: StreamReset, tellPeer: Bool, at now: MonotonicTime) {
        guard !stream.isGone else { return }
        if stream.opening != .open { streamCounters.refused(reset.reason) } else { streamCounters.add(1, to: .broken) }
        if tellPeer, stream.set.carrier != nil, stream.wasAsked || !stream.isOurs {
            farewell(stream, reset)
        }
        if let request = stream.request, reset.reason != .cancelled, let socket = stream.socket.take() {
            // Whoever asked gets an answer, or another attempt.
            poller.unwatch(socket.rawDescriptor)
            request.restore(socket, early: stream.outbox.copied)
            report(.refused(request, reset, link: stream.set.link))
        }
        withSocket(stream) { $0.closeAbruptly() }
        remove(stream)
    }

    /// Has the peer told after the stream itself is forgotten.
    private func farewell(_ stream: Stream, _ reset: StreamReset) {
        disown(stream.id, in: stream.set, isOurs: stream.isOurs, reset, at: stream.openedAt)
    }

    /// Has the peer told that a stream is not there.
    func disown(_ id: UInt32, in set: StreamSet, isOurs: Bool, _ reset: StreamReset, at now: MonotonicTime) {
        guard set.ghosts < StreamSet.maximumGhosts, let carrier = set.carrier else { return }
        let ghost = Stream(
            id,
            to: .apiServer,
            isOurs: isOurs,
            opening: .open,
            limit: 0,
            in: set,
            serial: takeSerial(),
            chunks: chunks,
            at: now
        )
        (ghost.isGhost, ghost.owesReset) = (true, reset)
        set.ghosts += 1
        set.enqueue(ghost)
        markPending(carrier)
    }

    func add(_ stream: Stream) {
        stream.set.streams[stream.id] = stream
        stream.set.count()
        streamCounters.add(1, to: .active)
        if stream.deadline != nil || stream.opening != .open { timed.append(stream) }
    }

    /// Forgets a stream and closes its socket.
    func remove(_ stream: Stream) {
        guard !stream.isGone else { return }
        stream.isGone = true
        heldBytes -= stream.held
        stream.outbox.drop(stream.outbox.count)
        stream.inbox.drop(stream.inbox.count)
        withSocket(stream) { poller.unwatch($0.rawDescriptor) }
        stream.socket = nil
        releaseStreamToken(stream)
        if stream.set.streams[stream.id] === stream { stream.set.streams[stream.id] = nil }
        stream.set.count()
        streamCounters.subtract(1, from: .active)
    }

    /// Holds streams to their deadlines, and tells at leisure what has arrived.
    func tickStreams(at now: MonotonicTime) {
        // Whoever owes something again stands behind those whose turn it is.
        let due = leisure.count
        for index in 0..<due {
            let stream = leisure[index]
            stream.isInLeisure = false
            guard !stream.isGone, stream.machine.owesCredit else { continue }
            stream.isAtLeisure = true
            settle(stream, at: now)
        }
        leisure.removeSubrange(0..<due)
        for stream in timed where !stream.isGone { checkTime(of: stream, at: now) }
        timed.removeAll { $0.isGone || ($0.opening == .open && $0.mutedUntil == nil && !$0.passage.isUnderWay) }
        for set in streamSets.values { checkCarrier(of: set, at: now) }
        while heldBytes > Self.memoryBudget, relieve(at: now) {}
        if chunks.used == 0 { chunks.trim() }
        streamCounters.set(.heldBytes, UInt64(max(heldBytes, 0)))
    }

    private func checkTime(of stream: Stream, at now: MonotonicTime) {
        if let muted = stream.mutedUntil, muted <= now {
            stream.mutedUntil = nil
            flush(stream, at: now)
        }
        if stream.passage.isOverdue(at: now) { settleUnknown(stream, at: now) }
        guard stream.opening != .open, let deadline = stream.deadline, deadline <= now else { return }
        discard(stream, because: StreamReset(.timeout, "\(stream.target)"), tellPeer: true, at: now)
    }

    /// The connection that carried streams is gone: those that are open go on over another lane or wait for the next
    /// connection, those that were only asked for try another way.
    func lostCarrier(of set: StreamSet, at now: MonotonicTime) {
        (set.carrier, set.lostAt) = (nil, now)
        set.forgetWords()
        mayMoveStreams = true
        for stream in Array(set.streams.values) where stream.isOurs && stream.opening == .requested {
            discard(stream, because: StreamReset(.linkDown), tellPeer: false, at: now)
        }
    }

    private func checkCarrier(of set: StreamSet, at now: MonotonicTime) {
        guard let lostAt = set.lostAt, now >= lostAt + StreamMachine.resumeTime else { return }
        for stream in Array(set.streams.values) {
            discard(stream, because: StreamReset(.linkDown), tellPeer: false, at: now)
        }
        streamSets[StreamSetKey(link: set.link, lane: set.lane)] = nil
    }

    /// Ends the stream that holds the most, when all together hold too much; `false` where none holds anything.
    private func relieve(at now: MonotonicTime) -> Bool {
        let fattest = streamSets.values.lazy.flatMap(\.streams.values).max { $0.held < $1.held }
        guard let fattest, fattest.held > 0 else { return false }
        discard(fattest, because: StreamReset(.overloaded, "too much is held"), tellPeer: true, at: now)
        return true
    }

    /// Ends all streams of a link.
    func dropStreams(of link: Int, because reset: StreamReset, at now: MonotonicTime) {
        for (key, set) in streamSets where key.link == link {
            for stream in Array(set.streams.values) { discard(stream, because: reset, tellPeer: true, at: now) }
            streamSets[key] = nil
        }
    }
}
