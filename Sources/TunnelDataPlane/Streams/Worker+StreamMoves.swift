import LinuxSystem
import TendrilCore
import TunnelProtocol

/// Streams that go on over another lane of their link when theirs was lost, and so perhaps with another worker.
///
/// The client decides. It hands them to a worker with a lane, which names them there; the server looks for them among all its
/// workers, hands them to the lane's own, and answers. In between they belong to whoever has their party.
extension Worker {
    /// Has a lane carry the streams of its number, and others know that it is there.
    func attachStreams(to lane: Lane, at now: MonotonicTime) {
        let set = streamSet(link: lane.peer.link, lane: lane.peer.lane, at: now)
        if let run = set.run, run != lane.peer.run {
            // Another run of the peer knows none of them, and may give their numbers to others.
            discard(Array(set.streams.values), because: StreamReset(.lost), at: now)
        }
        set.attach(lane, at: now)
        lane.streams = set
        guard !isServer, lane.peer.run != nil else { return }
        mayMoveStreams = true
        for mate in crew where mate !== self { mate.mailbox.post(.laneUp) }
    }

    // MARK: - The client's side

    /// Has streams whose lane was lost go on over another one, where there is one.
    func moveStreams(at now: MonotonicTime) {
        mayMoveStreams = false
        guard !isServer else { return }
        for set in streamSets.values where set.carrier == nil && !set.streams.isEmpty {
            guard let run = set.run, let worker = refuge(for: set) else { continue }
            // What is only being opened stays: its caller tries another way.
            let leaving = set.streams.values.filter { $0.opening == .open }
            guard !leaving.isEmpty else { continue }
            release(leaving, at: now)
            let party = StreamParty(leaving, of: set, run: run)
            if worker === self { handle(party, at: now) } else { worker.mailbox.post(.moving(party)) }
        }
    }

    private func refuge(for set: StreamSet) -> Worker? {
        if harbour(of: set.link) != nil { return self }
        guard let number = laneMap.worker(for: set.link, behind: index), number < crew.count else { return nil }
        return crew[number]
    }

    /// The streams of a lane of this worker that is up; all lanes of a link lead to one run of the peer.
    private func harbour(of link: Int) -> StreamSet? {
        guard link < lanesByLink.count else { return nil }
        return lanesByLink[link].first { $0.streams?.carrier === $0 }?.streams
    }

    /// Takes streams over; where the lane has gone meanwhile, they wait here for another.
    private func shelter(_ party: StreamParty, at now: MonotonicTime) {
        let set = harbour(of: party.link) ?? streamSet(link: party.link, lane: party.lane, at: now)
        guard welcome(party, in: set, at: now), let carrier = set.carrier else { return }
        set.namings += party.streams.lazy.filter { !$0.isGone }.map(\.id)
        markPending(carrier)
    }

    // MARK: - The server's side

    /// The client names streams that are to go on here, or the server answers.
    func takeMove(
        _ payload: borrowing Span<UInt8>,
        _ set: StreamSet,
        _ lane: Lane,
        at now: MonotonicTime
    ) throws(ProtocolViolation) {
        let (number, entries) = try StreamFrame.move(payload)
        guard let run = set.run else { throw .unexpectedFrame }
        // What was said on a connection that was replaced is said again.
        guard set.carrier === lane else { return }
        guard set.isServer else { return try takeAnswers(number, entries, set, at: now) }
        guard set.mayName(entries.count) else { throw .overrun }
        var missing: [StreamFrame.ResumeEntry] = []
        for entry in entries {
            guard !entry.isAbsent else { throw .badStream }
            guard let stream = set.streams[entry.stream] else {
                missing.append(entry)
                continue
            }
            guard stream.passage.follow(number) else { continue }
            set.answers.append((number, stream.id))
            try resume(stream, entry, at: now)
        }
        guard !missing.isEmpty else { return }
        set.sought += missing.count
        let party = StreamParty(naming: missing, number: number, on: lane.peer, run: run, for: index)
        crew.first?.mailbox.post(.moving(party))
    }

    /// Takes the next step with streams that are on their way.
    func handle(_ party: StreamParty, at now: MonotonicTime) {
        switch party.step {
        case .wanted:
            searches.append(party)
            if searches.count == 1 { search(party, at: now) }
        case .searching: search(party, at: now)
        case .searched:
            // What one search has found is where it was wanted before the next one begins: none passes another by.
            party.step = .coming
            let asker = crew[party.asker]
            if asker === self { handle(party, at: now) } else { asker.mailbox.post(.moving(party)) }
            searches.removeFirst()
            if let next = searches.first { search(next, at: now) }
        case .coming: if isServer { settle(party, at: now) } else { shelter(party, at: now) }
        }
    }

    /// Adds what this worker has of the streams that are wanted, and passes the party on.
    private func search(_ party: StreamParty, at now: MonotonicTime) {
        var found: [Stream] = []
        for set in streamSets.values where set.link == party.link && set.run == party.run {
            for entry in party.entries {
                guard let stream = set.streams[entry.stream], stream.passage.follow(party.number) else { continue }
                found.append(stream)
            }
        }
        release(found, at: now)
        party.streams += found
        let isLast = index + 1 == crew.count
        party.step = isLast ? .searched : .searching
        crew[isLast ? 0 : index + 1].mailbox.post(.moving(party))
    }

    /// Takes over what was found of the streams that the client has named, and answers for all.
    private func settle(_ party: StreamParty, at now: MonotonicTime) {
        let set = streamSet(link: party.link, lane: party.lane, at: now)
        guard welcome(party, in: set, at: now), let carrier = set.carrier,
            carrier.peer.generation == party.generation
        else { return }
        markPending(carrier)
        set.sought -= party.entries.count
        for entry in party.entries {
            set.answers.append((party.number, entry.stream))
            guard let stream = set.streams[entry.stream], stream.passage.isAnswered(by: party.number) else { continue }
            do throws(ProtocolViolation) {
                try resume(stream, entry, at: now)
            } catch {
                return close(carrier, .violation(error))
            }
        }
    }

    /// Takes the server's word on streams that were named.
    private func takeAnswers(
        _ number: UInt32,
        _ entries: [StreamFrame.ResumeEntry],
        _ set: StreamSet,
        at now: MonotonicTime
    ) throws(ProtocolViolation) {
        for entry in entries {
            guard let stream = set.streams[entry.stream] else {
                // It came to its end here while it was looked for.
                if !entry.isAbsent { disown(entry.stream, in: set, StreamReset(.lost)) }
                continue
            }
            guard stream.passage.isAnswered(by: number) else { continue }
            if entry.isAbsent { settleUnknown(stream, at: now) } else { try resume(stream, entry, at: now) }
        }
    }

    /// Keeps a stream that the client has somewhere else, until it is named there.
    func park(_ stream: Stream, at now: MonotonicTime) {
        if !stream.passage.isUnderWay { timed.append(stream) }
        stream.passage.begin(at: now)
    }

    // MARK: - Both sides

    /// Lets go of streams: from here on nothing of this worker knows them.
    private func release(_ leaving: [Stream], at now: MonotonicTime) {
        guard !leaving.isEmpty else { return }
        let store = ChunkStore()
        for stream in leaving {
            stream.isLeaving = true
            stream.passage.begin(at: now)
            withSocket(stream) { poller.unwatch($0.rawDescriptor) }
            streamTokens.release(stream)
            stream.token = 0
            stream.outbox.move(to: store)
            stream.inbox.move(to: store)
        }
        for group in Dictionary(grouping: leaving, by: { ObjectIdentifier($0.set) }).values {
            group.first?.set.release(group, at: now)
        }
        hungry.removeAll(where: \.isLeaving)
        leisure.removeAll(where: \.isLeaving)
        timed.removeAll(where: \.isLeaving)
        streamCounters.subtract(leaving.count, from: .active)
        for stream in leaving {
            (stream.place, stream.isLeaving) = (.idle, false)
            (stream.isHungry, stream.isInLeisure, stream.isAtLeisure) = (false, false, false)
        }
    }

    /// Makes streams those of this worker; whether they may stay.
    private func welcome(_ party: StreamParty, in set: StreamSet, at now: MonotonicTime) -> Bool {
        if set.carrier == nil, set.streams.isEmpty { (set.lostAt, set.run) = (now, party.run) }
        for stream in party.streams { join(stream, set, at: now) }
        guard set.run == party.run else {
            // The peer has begun anew meanwhile and knows none of them.
            discard(party.streams, because: StreamReset(.lost), at: now)
            return false
        }
        return true
    }

    private func join(_ stream: Stream, _ set: StreamSet, at now: MonotonicTime) {
        let isTaken = set.streams[stream.id] != nil
        (stream.set, stream.serial, stream.awaitsResume) = (set, takeSerial(), true)
        stream.outbox.move(to: chunks)
        stream.inbox.move(to: chunks)
        streamCounters.add(1, to: .active)
        timed.append(stream)
        if !isTaken { set.streams[stream.id] = stream }
        set.count()
        guard !isTaken, watch(stream) else {
            return discard(stream, because: StreamReset(.overloaded), tellPeer: false, at: now)
        }
    }

    private func discard(_ streams: [Stream], because reset: StreamReset, at now: MonotonicTime) {
        for stream in streams { discard(stream, because: reset, tellPeer: false, at: now) }
    }
}
