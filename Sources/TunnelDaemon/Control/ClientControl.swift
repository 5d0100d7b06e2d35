import LinuxSystem
import Logging
import Netlink
import Observability
import TLSEngine
import TendrilCore
import TunnelDataPlane
import TunnelProtocol

/// The client's side of control: it keeps a link to every server in its list.
final class ClientControl: ControlCore.Delegate {
    let core: ControlCore
    private let paths: ReturnPaths
    private let basePolicy: ClientPolicy
    let session = UInt128.random(in: .min ... .max)
    var servers: InstanceSet
    /// Where each link's first lane was opened; the others go there too.
    var peerAddresses: [Int: SocketAddress] = [:]
    private var certificates: [UInt64: (link: Int, lane: Int, certificate: PeerCertificate)] = [:]
    var serviceDoor: ServiceDoor?
    private var streamTurn = 0

    init(_ core: ControlCore, _ policy: ClientPolicy, _ paths: ReturnPaths) {
        self.core = core
        self.paths = paths
        basePolicy = policy
        servers = InstanceSet(core.configuration.servers, at: Clock.now())
        for endpoint in core.configuration.servers { show(endpoint) }
    }

    /// Has the board show the links to an endpoint that are wanted, and no others; those that are not up are named after the
    /// endpoint, each by a name of its own.
    private func show(_ endpoint: Endpoint) {
        let links = servers.indices.filter { servers[$0].endpoint == endpoint }
        let count = servers.indices.count(where: servers.isWanted)
        core.board.update { state in
            state.expectedLinks = count
            for link in links {
                guard servers.isWanted(link) else {
                    state.links[link] = nil
                    continue
                }
                let replica = servers[link].replica
                let name = replica == 0 ? "\(endpoint)" : "\(endpoint)#\(replica)"
                if state.links[link] == nil { state.links[link] = Board.LinkEntry(name: name, endpoint: "\(endpoint)") }
                if !servers[link].isUp { state.links[link]?.name = name }
            }
        }
    }

    /// The links that are up, that with the fewest streams first; each time another one among equals.
    var liveLinks: [Int] {
        let linked = servers.indices.filter { servers[$0].isUp }
        let lasting = linked.filter { !core.isRetiring($0) }
        let live = lasting.isEmpty ? linked : lasting
        guard !live.isEmpty else { return [] }
        streamTurn &+= 1
        let first = streamTurn % live.count
        let counts = core.board.streamCounts
        // Of those that came all at once the workers have counted none.
        let loads: [Int: UInt64] = live.reduce(into: [:]) { $0[$1] = (counts[$1] ?? 0) + core.offeredCount(on: $1) }
        // The order of equals is kept.
        return (live[first...] + live[..<first]).enumerated()
            .sorted { (loads[$0.element] ?? 0, $0.offset) < (loads[$1.element] ?? 0, $1.offset) }.map(\.element)
    }

    /// The links that there should be and that are down.
    var missingLinks: [Int] { servers.indices.filter { servers.isWanted($0) && !servers[$0].isUp } }

    var waitingRequests: Int { serviceDoor?.waiting ?? 0 }

    func ready(_ token: UInt64, at now: MonotonicTime) { _ = serviceDoor?.ready(token, at: now) }

    /// Why a link is not to be had with who answered, what it is told, and whether another may answer the next time.
    private typealias Refusal = (reason: String, notice: CloseNotice?, wasElsewhere: Bool)

    private func refusal(of introduction: Greeting.Introduction, by greeting: Greeting, on link: Int) -> Refusal? {
        if let objection = servers.objection(to: introduction.hello, of: introduction.identity.name, on: link) {
            let reason =
                switch objection {
                case .isLinked(let instance): "\(greeting.address) leads to \(instance), which is linked already"
                case .isAnother: "\(greeting.address) leads to another server than the link's first lane"
                case .speaks(let version): "the server speaks version \(version)"
                }
            return (reason, objection.notice, objection.isElsewhere)
        }
        guard core.stillTrusts(introduction.certificate, of: greeting) else {
            return ("the server's certificate is not trusted any more", nil, false)
        }
        return nil
    }

    func introduced(_ greeting: Greeting, _ introduction: Greeting.Introduction, at now: MonotonicTime) {
        guard let (link, lane) = greeting.target else { return }
        if let refusal = refusal(of: introduction, by: greeting, on: link) {
            if let notice = refusal.notice { try? greeting.send(.close, notice.payload) }
            return giveUp(link, lane, refusal.reason, wasElsewhere: refusal.wasElsewhere, at: now)
        }
        let generation = core.takeGeneration()
        let lanes = max(introduction.hello.lanes, core.configuration.lanes)
        let wasDown = !servers[link].isUp
        servers.opened(
            lane,
            of: link,
            generation: generation,
            introduction.hello,
            of: introduction.identity.name,
            lanes: lanes,
            at: now
        )
        peerAddresses[link] = greeting.address
        show(servers[link].endpoint)
        if core.isOutdated(greeting) { servers[link].machine.renew(lane, at: now) }
        certificates[generation] = (link, lane, introduction.certificate)
        let instance = servers[link].instance ?? introduction.identity.name
        core.board.update { state in
            state.links[link]?.name = instance
            state.links[link]?.wantedLanes = lanes
        }
        if wasDown {
            core.logger.notice("link up", metadata: ["server": "\(instance)", "peer": "\(greeting.address)"])
        }
        publish()
        core.open(
            greeting,
            introduction,
            link: link,
            lane: lane,
            generation: generation,
            bound: RouteTable(),
            at: now
        )
        serviceDoor?.linkUp()
    }

    func handle(_ event: ControlCore.Event, at now: MonotonicTime) {
        switch event {
        case .worker(.ended(let peer, let end)): ended(peer, end, at: now)
        case .worker(.renewalRequested(let peer)): servers[peer.link].machine.renew(peer.lane, at: now)
        case .resolved(let link, let lane, .success(let addresses)): dial(link, lane, addresses, at: now)
        case .worker(.refused(let request, let reset, let link)): serviceDoor?.refused(request, reset, link, at: now)
        case .worker(.deviceLost), .worker(.retiring), .nodes: break
        case .resolved(let link, let lane, .failure(let error)): giveUp(link, lane, "\(error)", at: now)
        }
    }

    private func ended(_ peer: LanePeer, _ end: LaneEnd, at now: MonotonicTime) {
        let link = peer.link
        certificates[peer.generation] = nil
        servers[link].machine.ended(
            peer.lane,
            generation: peer.generation,
            at: now,
            random: .random(in: .min ... .max)
        )
        if end.isSilence { narrow(link, at: now) }
        core.forget(peer, end)
        let name = servers[link].instance ?? servers[link].endpoint.description
        core.logger.info(
            "lane ended",
            metadata: ["server": "\(name)", "lane": "\(peer.lane)", "reason": "\(end)"]
        )
        guard !servers[link].isUp else { return }
        core.logger.notice("link down", metadata: ["server": "\(name)", "reason": "\(end)"])
        show(servers[link].endpoint)
        publish()
    }

    private func publish() {
        var policy = basePolicy
        for (link, server) in servers.links.enumerated() where server.isUp && server.carriesPackets {
            policy.links.append(link)
            for address in server.addresses where policy.remote.isEmpty || policy.remote.contains(address) {
                policy.servers.insert(IPPrefix(host: address), link)
            }
        }
        core.publish(.client(policy, paths))
    }

    func renewed(from old: Identity, at now: MonotonicTime) {
        let identity = core.store.current
        guard !identity.isSameForTLS(as: old) else { return }
        for (generation, entry) in certificates where !identity.context.stillTrusts(entry.certificate) {
            let notice = CloseNotice(.notAuthorised, "the CA that signed the certificate is not trusted any more")
            core.workers[entry.lane % core.workers.count].mailbox.post(
                .dropLane(link: entry.link, generation: generation, notice)
            )
        }
        for link in servers.indices {
            for lane in 0..<servers[link].machine.laneCount { servers[link].machine.renew(lane, at: now) }
        }
    }
}
