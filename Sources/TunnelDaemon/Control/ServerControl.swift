import LinuxSystem
import Logging
import Observability
import TLSEngine
import TendrilCore
import TunnelDataPlane
import TunnelProtocol

/// The server's side of control: it accepts, checks, and keeps the books of its links.
final class ServerControl: ControlCore.Delegate, EgressDoor.Guide {
    /// For how long a client that went is missed.
    private static var memory: Nanoseconds { .seconds(3600) }

    let core: ControlCore
    private let frontDoor: FrontDoor
    private let flows: FlowTable
    private let session = UInt128.random(in: .min ... .max)
    /// What streams may be asked for by name although it is no node.
    let outside: Set<StreamTarget>
    var registry: ServerRegistry
    private var certificates: [UInt64: (link: Int, lane: Int, certificate: PeerCertificate)] = [:]
    private var nextSweep = MonotonicTime(nanoseconds: 0)
    var egressDoor: EgressDoor?
    var peerDoor: EgressDoor?
    /// Clients whose link is down: its number, since when, and what the clock said then.
    private(set) var downSince: [String: (link: Int, at: MonotonicTime, unixTime: UInt64)] = [:]

    init(_ core: ControlCore, _ frontDoor: FrontDoor, _ registry: ServerRegistry, _ flows: FlowTable) {
        self.core = core
        self.frontDoor = frontDoor
        self.registry = registry
        self.flows = flows
        outside = Set(core.configuration.outsideTargets)
    }

    // MARK: - Connections

    func ready(_ token: UInt64, at now: MonotonicTime) {
        if frontDoor.ready(token, at: now) || egressDoor?.ready(token, at: now) == true { return }
        _ = peerDoor?.ready(token, at: now)
    }

    var waitingRequests: Int { (egressDoor?.waiting ?? 0) + (peerDoor?.waiting ?? 0) }

    func failed(_ greeting: Greeting, _ failure: Greeting.Failure, at now: MonotonicTime) {
        core.limiter.log(
            "handshake failed",
            // Whoever looks for another instance is led here again and again, and does as he should.
            level: greeting.awaitsConfirmation ? .info : .warning,
            ["reason": "\(failure.reason)", "peer": "\(greeting.address)"],
            to: core.logger,
            at: now
        )
    }

    func introduced(_ greeting: Greeting, _ introduction: Greeting.Introduction, at now: MonotonicTime) {
        let name = introduction.identity.name
        guard core.stillTrusts(introduction.certificate, of: greeting) else {
            try? greeting.send(.close, CloseNotice(.notAuthorised).bytes)
            core.count("revoked")
            return
        }
        if !greeting.isConfirmed, registry.hasLane(introduction.hello, of: name) {
            guard answer(greeting, lane: introduction.hello.lane) else { return }
            greeting.awaitConfirmation(of: introduction)
            core.begin(greeting, at: now)
            return
        }
        let generation = core.takeGeneration()
        switch registry.admit(name, introduction.hello, generation: generation) {
        case .refused(let notice): refuse(greeting, name, notice, at: now)
        case .accepted(let link, let bound, let replaced):
            if let replaced { drop(replaced) }
            note(link, name, introduction, greeting)
            guard greeting.isConfirmed || answer(greeting, lane: introduction.hello.lane) else {
                _ = registry.ended(link, generation: generation, at: now)
                return
            }
            if registry.connectionCount(of: link) == 1 { publish() }
            certificates[generation] = (link, introduction.hello.lane, introduction.certificate)
            core.open(
                greeting,
                introduction,
                link: link,
                lane: introduction.hello.lane,
                generation: generation,
                bound: bound,
                at: now
            )
            egressDoor?.pathsChanged()
            peerDoor?.pathsChanged()
            if core.isOutdated(greeting) {
                core.workers[introduction.hello.lane % core.workers.count].mailbox.post(.renew)
            }
        }
    }

    private func refuse(_ greeting: Greeting, _ name: String, _ notice: CloseNotice, at now: MonotonicTime) {
        try? greeting.send(.close, notice.bytes)
        core.count("refused")
        core.limiter.log(
            "client refused",
            ["reason": "\(notice)", "client": "\(name)", "peer": "\(greeting.address)"],
            to: core.logger,
            at: now
        )
    }

    /// Sends the own hello; whether it went.
    private func answer(_ greeting: Greeting, lane: Int) -> Bool {
        (try? greeting.send(.hello, ownHello(lane: lane).payload)) != nil
    }

    private func note(_ link: Int, _ name: String, _ introduction: Greeting.Introduction, _ greeting: Greeting) {
        let wanted = max(introduction.hello.lanes, core.configuration.lanes)
        downSince[name] = nil
        let expected = expectedLinks
        let endpoint = greeting.address.description
        var isNew = false
        core.board.update { state in
            state.expectedLinks = expected
            isNew = state.links[link] == nil
            if isNew { state.links[link] = state.revive(name) ?? Board.LinkEntry(name: name, endpoint: endpoint) }
            state.links[link]?.endpoint = endpoint
            state.links[link]?.wantedLanes = wanted
        }
        guard isNew else { return }
        core.limiter.log("link up", level: .notice, ["client": "\(name)"], to: core.logger, at: Clock.now())
    }

    private func ownHello(lane: Int) -> Hello {
        Hello(
            session: session,
            lane: lane,
            lanes: core.configuration.lanes,
            mtu: core.configuration.mtu,
            features: core.features,
            addresses: core.configuration.addresses.map(\.address),
            networks: [],
            software: "tendril-vpn \(Version.text)",
            instances: core.configuration.instances
        )
    }

    // MARK: - Links

    func handle(_ event: ControlCore.Event, at now: MonotonicTime) {
        switch event {
        case .worker(.ended(let peer, let end)): ended(peer, end, at: now)
        case .worker(.refused(let request, let reset, let link)):
            let door = request.target == PeerStatus.service ? peerDoor : egressDoor
            door?.refused(request, reset, link, at: now)
        case .nodes(let news): heard(news, at: now)
        case .worker(.deviceLost), .worker(.retiring), .worker(.renewalRequested), .resolved: break
        }
    }

    private func ended(_ peer: LanePeer, _ end: LaneEnd, at now: MonotonicTime) {
        certificates[peer.generation] = nil
        core.forget(peer, end)
        let name = registry.names[peer.link] ?? "?"
        core.limiter.log(
            "lane ended",
            level: .info,
            ["client": "\(name)", "lane": "\(peer.lane)", "reason": "\(end)"],
            to: core.logger,
            at: now
        )
        guard registry.ended(peer.link, generation: peer.generation, at: now) else { return }
        downSince[name] = (peer.link, now, Clock.unixTime())
        let known = knownNames
        core.board.update { state in
            state.retire(peer.link)
            state.knownNames = known
        }
        core.limiter.log(
            "link down",
            level: .notice,
            ["client": "\(name)", "reason": "\(end)"],
            to: core.logger,
            at: now
        )
        publish()
    }

    private func drop(_ link: Int) {
        for worker in core.workers { worker.mailbox.post(.drop(link: link, CloseNotice(.replaced))) }
        core.board.update { $0.retire(link) }
    }

    func publish() {
        core.publish(.server(registry.policy(services: core.configuration.allowInbound), flows))
    }

    func renewed(from old: Identity, at now: MonotonicTime) {
        let identity = core.store.current
        for (generation, entry) in certificates where !identity.context.stillTrusts(entry.certificate) {
            let notice = CloseNotice(.notAuthorised, "the CA that signed the certificate is not trusted any more")
            core.workers[entry.lane % core.workers.count].mailbox.post(
                .dropLane(link: entry.link, generation: generation, notice)
            )
        }
        guard !identity.isSameForTLS(as: old) else { return }
        for worker in core.workers { worker.mailbox.post(.renew) }
    }

    func advance(to now: MonotonicTime) -> MonotonicTime? {
        if now >= nextSweep {
            nextSweep = now + .seconds(5)
            registry.expire(at: now)
            downSince = downSince.filter { now < $0.value.at + Self.memory }
            let (flows, expected, known) = (self.flows.sweep(at: now), expectedLinks, knownNames)
            core.board.update { ($0.flows, $0.expectedLinks, $0.knownNames) = (flows, expected, known) }
        }
        let doors = [frontDoor.advance(to: now), egressDoor?.advance(to: now), peerDoor?.advance(to: now)]
        return doors.compactMap { $0 }.min()
    }
}
