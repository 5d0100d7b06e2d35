import LinuxSystem
import TLSEngine
import TendrilCore
import TunnelDataPlane
import TunnelProtocol

/// What becomes of connections that have been greeted: lanes, and streams over them.
extension ControlCore {
    /// Makes a lane of a connection and gives it to its worker.
    func open(
        _ greeting: Greeting,
        _ introduction: Greeting.Introduction,
        link: Int,
        lane: Int,
        generation: UInt64,
        bound: RouteTable<Bool>,
        at now: MonotonicTime
    ) {
        let parameters = greeting.parameters
        let unsent = greeting.unsent
        guard let (socket, session, leftover) = greeting.release(), let socket = socket.take(),
            let session = session.take()
        else { preconditionFailure("a connection becomes a lane once") }
        if features.contains(.datagramSegmentation), !introduction.hello.features.contains(.datagramSegmentation) {
            for worker in workers { worker.mailbox.post(.refuseDatagramSegmentation) }
        }
        let peer = LanePeer(
            link: link,
            lane: lane,
            generation: generation,
            bound: bound,
            mtu: min(configuration.mtu, introduction.hello.mtu),
            expiry: min(introduction.certificate.expiry, greeting.identity.context.expiry),
            takesStreams: introduction.hello.features.contains(.streams),
            run: introduction.hello.features.contains(.movingStreams) ? introduction.hello.session : nil
        )
        let counters = LaneCounters()
        let entry = Board.LaneEntry(
            index: lane,
            generation: generation,
            counters: counters,
            address: greeting.address.description,
            parameters: parameters,
            since: now
        )
        board.update { state in
            state.handshakes["ok", default: 0] += 1
            state.links[link]?.software = introduction.hello.software
            state.links[link]?.lanes.append(entry)
        }
        if peer.takesStreams { streamLanes.add(peer) }
        let lane = Lane(socket, session, peer: peer, counters: counters, leftover: leftover, unsent: unsent, at: now)
        workers[peer.lane % workers.count].mailbox.post(.adopt(lane))
    }

    /// Whether a certificate that was accepted under an older identity is still to be accepted.
    func stillTrusts(_ certificate: PeerCertificate, of greeting: Greeting) -> Bool {
        greeting.identity === store.current || store.current.context.stillTrusts(certificate)
    }

    /// Whether a connection was made under certificates that have been replaced since.
    func isOutdated(_ greeting: Greeting) -> Bool { !store.current.isSameForTLS(as: greeting.identity) }

    /// Has a stream made of a connection over the first of some links that has a lane for it and was not tried yet; whether there
    /// is one.
    func open(_ request: StreamRequest, links: [Int]) -> Bool {
        guard let link = links.first(where: { !request.tried.contains($0) && open(request, link: $0) }) else {
            return false
        }
        let isAnother = !request.tried.isEmpty || request.lost.map { $0 != link } ?? false
        if isAnother { board.update { $0.failovers += 1 } }
        return true
    }

    /// Has a stream made of a connection; whether the link has a lane for it.
    private func open(_ request: StreamRequest, link: Int) -> Bool {
        guard let lane = streamLanes.next(of: link) else { return false }
        workers[lane % workers.count].offer(request, link: link, lane: lane)
        return true
    }

    /// Gives all workers new rules.
    func publish(_ side: PacketSide) { for worker in workers { worker.mailbox.post(.rules(side)) } }

    /// Notes on the board that a connection ended.
    func forget(_ peer: LanePeer, _ end: LaneEnd) {
        streamLanes.remove(peer)
        if case .violation = end { count("violation") }
        board.update { state in
            guard let link = state.links[peer.link],
                let index = link.lanes.firstIndex(where: { $0.generation == peer.generation })
            else { return }
            let lane = link.lanes[index]
            state.links[peer.link]?.keepFigures(of: lane)
            state.links[peer.link]?.lanes.remove(at: index)
            if case .drained = end { return }
            state.links[peer.link]?.reconnects += 1
            state.links[peer.link]?.lastError = "\(end)"
            state.links[peer.link]?.lastErrorAt = Clock.unixTime()
        }
    }
}
