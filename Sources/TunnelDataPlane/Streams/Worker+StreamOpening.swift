import LinuxSystem
import TendrilCore
import TunnelProtocol

/// How streams are opened, for this side and for the peer.
extension Worker {
    /// How long a target may take to answer.
    static var dialPatience: Nanoseconds { .seconds(4) }
    /// How long bytes are held back behind the answer to CONNECT at least: then until it was read.
    private static var mutedTime: Nanoseconds { .milliseconds(20) }
    /// How many names may be looked up at once: each takes a thread.
    private static var maximumLookUps: Int { 64 }

    /// Whether there may be more streams; any thread may ask.
    package var hasRoomForStreams: Bool { crew.activeStreams < UInt64(clamping: maximumStreams) }

    /// Has a stream made of a connection of this side, over a lane of a link that is this worker's; any thread may ask.
    package func offer(_ request: StreamRequest, link: Int, lane: Int) {
        laneMap.countOffered(1, on: link)
        mailbox.post(.open(request, link: link, lane: lane))
    }

    /// How many connections were offered to all workers for a link and are no streams of it yet; any thread may ask.
    package func offeredCount(on link: Int) -> UInt64 { laneMap.offeredCount(on: link) }

    /// Whether the peer may ask for another stream of a set.
    func mayAsk(_ set: StreamSet) -> Bool {
        set.streams.count < StreamSet.maximumStreams && hasRoomForStreams
            && (!isServer || laneMap.askedCount(on: set.link) < StreamSet.maximumOfClient)
    }

    /// Whether a link may have more in memory: where that is short, it is those that hold more than their part who have to wait.
    private func mayHold(_ link: Int) -> Bool {
        guard chunks.held >= Self.memoryBudget else { return true }
        let links = Set(streamSets.keys.lazy.map(\.link)).count
        let held = streamSets.values.lazy.filter { $0.link == link }.reduce(0) { $0 + $1.held }
        return held < Self.memoryBudget / max(links, 1)
    }

    /// Asks the peer of a link for a stream, for a connection of this side.
    func open(_ request: StreamRequest, link: Int, lane: Int, at now: MonotonicTime) {
        let set = streamSet(link: link, lane: lane, at: now)
        guard set.carrier != nil else { return report(.refused(request, StreamReset(.linkDown), link: link)) }
        guard mayHold(link), let id = set.takeID(&lastStream) else {
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
        let target = stream.target
        let allowed = addresses.first { streamRules.allows($0, for: target) } ?? addresses.first
        guard let allowed else {
            return discard(stream, because: StreamReset(.unknownName, "no address"), tellPeer: true, at: now)
        }
        dial(stream, allowed, at: now)
    }

    private func dial(_ stream: Stream, _ address: SocketAddress, at now: MonotonicTime) {
        guard streamRules.allows(address, for: stream.target) else {
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
    func finishConnecting(_ stream: Stream, at now: MonotonicTime) {
        let code = withSocket(stream) { $0.takeError() } ?? 0
        guard code == 0 else {
            let error = SystemError("connect", code: code)
            return discard(stream, because: Self.reset(for: error, stream.target), tellPeer: true, at: now)
        }
        stream.opening = .open
        stream.deadline = nil
        stream.owesOpened = true
        streamCounters.openings.note(now.since(stream.openedAt).value)
        settle(stream, at: now)
    }

    /// The far end has connected.
    func opened(_ stream: Stream, at now: MonotonicTime) {
        guard stream.opening == .requested, !stream.isGone else { return }
        stream.opening = .open
        stream.deadline = nil
        streamCounters.openings.note(now.since(stream.openedAt).value)
        guard let request = stream.request else { return }
        stream.request = nil
        if request.style == .connect {
            // The answer alone: who reads it takes what comes with it for an error.
            Self.established.withUnsafeBytes { stream.inbox.append($0) }
            stream.answerLeft = Self.established.count
            flush(stream, at: now)
            if stream.machine.taken == 0 { stream.mutedUntil = now + Self.mutedTime }
        }
    }

    private static let established = Array("HTTP/1.1 200 OK\r\n\r\n".utf8)

    private static func reset(for error: SystemError, _ target: StreamTarget) -> StreamReset {
        StreamReset(error.isConnectionRefused ? .refused : .unreachable, "\(target)")
    }
}

extension [Worker] {
    /// How many streams they have together; any thread may ask.
    package var activeStreams: UInt64 { reduce(0) { $0 + $1.streamCounters[.active] } }
}
