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
    var servers: [Server]
    var serviceDoor: ServiceDoor?
    private var streamTurn = 0

    init(_ core: ControlCore, _ policy: ClientPolicy, _ paths: ReturnPaths) {
        self.core = core
        self.paths = paths
        basePolicy = policy
        let now = Clock.now()
        servers = core.configuration.servers.map { Server(endpoint: $0, replica: 0, machine: LinkMachine(at: now)) }
        for endpoint in core.configuration.servers { show(endpoint) }
    }

    /// Has the board show the links to an endpoint that are wanted, and no others; those that are not up are named after the
    /// endpoint, each by a name of its own.
    private func show(_ endpoint: Endpoint) {
        let links = servers.indices.filter { servers[$0].endpoint == endpoint }
        let count = servers.indices.count(where: isWanted)
        core.board.update { state in
            state.expectedLinks = count
            for link in links {
                guard isWanted(link) else {
                    state.links[link] = nil
                    continue
                }
                let replica = servers[link].replica
                let name = replica == 0 ? "\(endpoint)" : "\(endpoint)#\(replica)"
                if state.links[link] == nil { state.links[link] = Board.LinkEntry(name: name, endpoint: "\(endpoint)") }
                if servers[link].machine.liveCount == 0 { state.links[link]?.name = name }
            }
        }
    }

    /// Whether there is an instance that a link can be for.
    func isWanted(_ link: Int) -> Bool {
        let known = servers.filter { $0.endpoint == servers[link].endpoint && $0.machine.liveCount > 0 }
        guard let count = known.map(\.instances).max() else { return servers[link].replica == 0 }
        return servers[link].replica < count || servers[link].machine.liveCount > 0
    }

    /// Has a link for each of the instances that a server says there are.
    private func learn(_ count: Int, from link: Int, at now: MonotonicTime) {
        servers[link].instances = count
        let endpoint = servers[link].endpoint
        let known = servers.count { $0.endpoint == endpoint }
        for replica in known..<max(count, known) {
            servers.append(Server(endpoint: endpoint, replica: replica, machine: LinkMachine(at: now)))
        }
        show(endpoint)
    }

    /// The links that are up, that with the fewest streams first; each time another one among equals.
    var liveLinks: [Int] {
        let linked = servers.indices.filter { servers[$0].machine.liveCount > 0 }
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
    var missingLinks: [Int] { servers.indices.filter { isWanted($0) && servers[$0].machine.liveCount == 0 } }

    var waitingRequests: Int { serviceDoor?.waiting ?? 0 }

    func ready(_ token: UInt64, at now: MonotonicTime) { _ = serviceDoor?.ready(token, at: now) }

    /// What an instance is called: as its certificate says, with a mark of its run where another link has that name.
    private func name(of introduction: Greeting.Introduction, on link: Int) -> String {
        let (name, run) = (introduction.identity.name, introduction.hello.session)
        let isTaken = servers.indices.contains {
            $0 != link && servers[$0].instance == name && servers[$0].run != run && servers[$0].machine.liveCount > 0
        }
        return isTaken ? "\(name)-\(String(run >> 112, radix: 16))" : name
    }

    /// Why a link is not to be had with who answered.
    private struct Objection {
        var notice: CloseNotice?
        let reason: String
        /// Whether another instance may answer the next time.
        var wasElsewhere = false
    }

    private func objection(to introduction: Greeting.Introduction, by greeting: Greeting, on link: Int) -> Objection? {
        let (run, server) = (introduction.hello.session, servers[link])
        let duplicate = CloseNotice(.duplicateInstance)
        let isLinked = servers.indices.contains {
            $0 != link && servers[$0].run == run && servers[$0].machine.liveCount > 0
        }
        if isLinked {
            let instance = name(of: introduction, on: link)
            let reason = "\(greeting.address) leads to \(instance), which is linked already"
            return Objection(notice: duplicate, reason: reason, wasElsewhere: true)
        }
        guard introduction.hello.version == Hello.currentVersion else {
            let reason = "the server speaks version \(introduction.hello.version)"
            return Objection(notice: CloseNotice(.versionMismatch), reason: reason)
        }
        if server.machine.liveCount > 0, server.run != run {
            let reason = "\(greeting.address) leads to another server than the link's first lane"
            return Objection(notice: duplicate, reason: reason, wasElsewhere: true)
        }
        guard core.stillTrusts(introduction.certificate, of: greeting) else {
            return Objection(reason: "the server's certificate is not trusted any more")
        }
        return nil
    }

    func introduced(_ greeting: Greeting, _ introduction: Greeting.Introduction, at now: MonotonicTime) {
        guard let (link, lane) = greeting.target else { return }
        if let objection = objection(to: introduction, by: greeting, on: link) {
            if let notice = objection.notice { try? greeting.send(.close, notice.payload) }
            return giveUp(link, lane, objection.reason, wasElsewhere: objection.wasElsewhere, at: now)
        }
        let instance = name(of: introduction, on: link)
        let generation = core.takeGeneration()
        let lanes = max(introduction.hello.lanes, core.configuration.lanes)
        let wasDown = servers[link].machine.liveCount == 0
        servers[link].machine.opened(lane, generation: generation, lanes: lanes, at: now)
        servers[link].instance = instance
        servers[link].addresses = introduction.hello.addresses
        servers[link].opened = greeting.address
        servers[link].run = introduction.hello.session
        servers[link].carriesPackets = introduction.hello.features.contains(.packets)
        learn(introduction.hello.instances, from: link, at: now)
        if core.isOutdated(greeting) { servers[link].machine.renew(lane, at: now) }
        servers[link].certificates[generation] = (lane, introduction.certificate)
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
        servers[link].certificates[peer.generation] = nil
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
        guard servers[link].machine.liveCount == 0 else { return }
        core.logger.notice("link down", metadata: ["server": "\(name)", "reason": "\(end)"])
        show(servers[link].endpoint)
        publish()
    }

    private func publish() {
        var policy = basePolicy
        for (link, server) in servers.enumerated() where server.machine.liveCount > 0 && server.carriesPackets {
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
        for link in servers.indices {
            for (generation, entry) in servers[link].certificates
            where !identity.context.stillTrusts(entry.certificate) {
                let notice = CloseNotice(.notAuthorised, "the CA that signed the certificate is not trusted any more")
                core.workers[entry.lane % core.workers.count].mailbox.post(
                    .dropLane(link: link, generation: generation, notice)
                )
            }
            for lane in 0..<servers[link].machine.laneCount { servers[link].machine.renew(lane, at: now) }
        }
    }
}
