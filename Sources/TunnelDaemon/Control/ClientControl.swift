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
    private var rota = LinkRota()
    /// The links that the board shows.
    private(set) var shown: [Int] = []

    init(_ core: ControlCore, _ policy: ClientPolicy, _ paths: ReturnPaths) {
        self.core = core
        self.paths = paths
        basePolicy = policy
        servers = InstanceSet(core.configuration.servers, at: Clock.now())
        show(servers.wanted(at: Clock.now()))
    }

    /// Has the board show the links that are wanted, and no others; those that are not up are named after their endpoint, each by a
    /// name of its own.
    func show(_ wanted: [Int]) {
        shown = wanted
        core.board.update { state in
            state.expectedLinks = wanted.count
            for link in servers.indices where !wanted.contains(link) { state.links[link] = nil }
            for link in wanted {
                let (endpoint, replica) = (servers[link].endpoint, servers[link].replica)
                let name = replica == 0 ? "\(endpoint)" : "\(endpoint)#\(replica)"
                if state.links[link] == nil { state.links[link] = Board.LinkEntry(name: name, endpoint: "\(endpoint)") }
                if !servers[link].isUp { state.links[link]?.name = name }
            }
        }
    }

    /// The links that are up, the one to be asked first before all others.
    var liveLinks: [Int] {
        let live = servers.indices.filter { servers[$0].isUp }
        let counts = core.board.streamCounts
        // Of those that came all at once the workers have counted none.
        let loads: [Int: UInt64] = live.reduce(into: [:]) { $0[$1] = (counts[$1] ?? 0) + core.offeredCount(on: $1) }
        return rota.order(live, retiring: Set(live.filter { core.isRetiring($0) }), loads: loads)
    }

    var waitingRequests: Int { serviceDoor?.waiting ?? 0 }

    func ready(_ token: UInt64, at now: MonotonicTime) { _ = serviceDoor?.ready(token, at: now) }

    /// Why a link is not to be had with who answered, what it is told, and whether another may answer the next time.
    private typealias Refusal = (reason: String, notice: CloseNotice?, wasElsewhere: Bool)

    private func refusal(
        of introduction: Greeting.Introduction,
        by greeting: Greeting,
        on link: Int,
        at now: MonotonicTime
    ) -> Refusal? {
        let (hello, name) = (introduction.hello, introduction.identity.name)
        if let objection = servers.objection(to: hello, of: name, on: link, at: now) {
            let reason =
                switch objection {
                case .isLinked(let instance): "\(greeting.address) leads to \(instance), which is linked already"
                case .isAnother: "\(greeting.address) leads to another server than the link's first lane"
                case .isAwaited: "\(greeting.address) leads to a server that another link waits for"
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
        if let refusal = refusal(of: introduction, by: greeting, on: link, at: now) {
            if let notice = refusal.notice { try? greeting.send(.close, notice.bytes) }
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
        show(servers.wanted(at: now))
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
        servers.ended(
            peer.lane,
            of: link,
            generation: peer.generation,
            at: now,
            random: .random(in: .min ... .max)
        )
        if end.isSilence { servers[link].fellSilent(isAlsoNarrow: false, at: now) }
        core.forget(peer, end)
        let name = servers[link].instance ?? servers[link].endpoint.description
        core.logger.info(
            "lane ended",
            metadata: ["server": "\(name)", "lane": "\(peer.lane)", "reason": "\(end)"]
        )
        guard !servers[link].isUp else { return }
        core.logger.notice("link down", metadata: ["server": "\(name)", "reason": "\(end)"])
        show(servers.wanted(at: now))
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
