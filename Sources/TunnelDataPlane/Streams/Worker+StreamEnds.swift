import LinuxSystem
import TendrilCore
import TunnelProtocol

/// How streams end, and what happens to them in time.
extension Worker {
    /// Ends a stream before its time.
    ///
    /// - Parameters:
    ///   - stream: a stream that is not over.
    ///   - reset: why.
    ///   - tellPeer: whether the peer does not know yet.
    ///   - now: the time.
    func discard(_ stream: Stream, because reset: StreamReset, tellPeer: Bool, at now: MonotonicTime) {
        guard !stream.isGone else { return }
        if stream.opening != .open {
            streamCounters.refused(reset.reason)
        } else if reset.reason != .cancelled {
            streamCounters.add(1, to: .broken)
        }
        if tellPeer, stream.wasAsked || !stream.isOurs { disown(stream.id, in: stream.set, reset) }
        if let request = stream.request, reset.reason != .cancelled, let socket = stream.socket.take() {
            // Whoever asked gets an answer, or another attempt.
            poller.unwatch(socket.rawDescriptor)
            request.restore(socket, early: stream.outbox.copied)
            report(.refused(request, reset, link: stream.set.link))
        }
        withSocket(stream) { $0.closeAbruptly() }
        remove(stream)
    }

    /// Has the peer told that a stream is not there.
    func disown(_ id: UInt32, in set: StreamSet, _ reset: StreamReset) {
        guard let carrier = set.carrier else { return }
        set.disown(id, reset)
        markPending(carrier)
    }

    func add(_ stream: Stream) {
        stream.set.streams[stream.id] = stream
        stream.set.count()
        streamCounters.add(1, to: .active)
        if !stream.isOurs { laneMap.countAsked(1, on: stream.set.link) }
        if stream.deadline != nil || stream.opening != .open { timed.append(stream) }
    }

    /// Forgets a stream and closes its socket.
    func remove(_ stream: Stream) {
        guard !stream.isGone else { return }
        stream.isGone = true
        stream.outbox.drop(stream.outbox.count)
        stream.inbox.drop(stream.inbox.count)
        withSocket(stream) { poller.unwatch($0.rawDescriptor) }
        stream.socket = nil
        streamTokens.release(stream)
        stream.set.forget(stream)
        streamCounters.subtract(1, from: .active)
        if !stream.isOurs { laneMap.countAsked(-1, on: stream.set.link) }
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
        timed.removeAll {
            $0.isGone
                || $0.opening == .open && $0.mutedUntil == nil && !$0.passage.isUnderWay && $0.farewell == nil
        }
        for set in streamSets.values { checkCarrier(of: set, at: now) }
        if chunks.held > Self.memoryBudget { relieve(at: now) }
        if chunks.used == 0 { chunks.trim() }
        streamCounters.set(.heldBytes, UInt64(chunks.held))
    }

    private func checkTime(of stream: Stream, at now: MonotonicTime) {
        if let muted = stream.mutedUntil, muted <= now, withSocket(stream, { $0.isReadOut }) != false {
            stream.mutedUntil = nil
            flush(stream, at: now)
        }
        if stream.passage.isOverdue(at: now) { settleUnknown(stream, at: now) }
        if stream.farewell?.isOver(for: stream.machine, at: now) == true {
            return discard(stream, because: StreamReset(.cancelled), tellPeer: true, at: now)
        }
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

    /// A run of a link's peer has ended, and has none of its streams any more: where they wait for a connection, nothing is waited
    /// for but that what has come whole gets to its socket.
    func lostPeer(_ run: UInt128?, of link: Int, at now: MonotonicTime) {
        for set in streamSets.values where set.link == link && set.run == run && set.carrier == nil {
            for stream in Array(set.streams.values) { settleUnknown(stream, at: now) }
        }
    }

    private func checkCarrier(of set: StreamSet, at now: MonotonicTime) {
        if set.hasLostResets, let carrier = set.carrier {
            close(carrier, .notice(CloseNotice(.overloaded, "too many resets wait")))
        }
        guard let lostAt = set.lostAt, now >= lostAt + StreamMachine.resumeTime else { return }
        for stream in Array(set.streams.values) {
            discard(stream, because: StreamReset(.linkDown), tellPeer: false, at: now)
        }
        streamSets[StreamSetKey(link: set.link, lane: set.lane)] = nil
    }

    /// Ends streams until all together hold no more than they may: each time the fattest of the link that holds the most, so
    /// that none costs others anything.
    private func relieve(at now: MonotonicTime) {
        let holders = streamSets.values.lazy.flatMap(\.streams.values).filter { $0.held > 0 }
        var links = Dictionary(grouping: holders, by: \.set.link).mapValues { $0.sorted { $0.held < $1.held } }
        var sums = links.mapValues { $0.reduce(0) { $0 + $1.held } }
        while chunks.held > Self.memoryBudget, let link = sums.max(by: { $0.value < $1.value })?.key,
            let fattest = links[link]?.popLast()
        {
            sums[link, default: 0] -= fattest.held
            discard(fattest, because: StreamReset(.overloaded, "too much is held"), tellPeer: true, at: now)
        }
    }

    /// Ends all streams of a link.
    func dropStreams(of link: Int, because reset: StreamReset, at now: MonotonicTime) {
        for (key, set) in streamSets where key.link == link {
            for stream in Array(set.streams.values) { discard(stream, because: reset, tellPeer: true, at: now) }
            streamSets[key] = nil
        }
    }
}
