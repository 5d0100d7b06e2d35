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
    /// One server of the list.
    private struct Server {
        let endpoint: Endpoint
        /// Which of the instances behind the endpoint it may be: 0 for the one that was configured.
        let replica: Int
        var machine: LinkMachine
        var attempts = 0
        /// Where the link's first lane was opened; the others go there too.
        var opened: SocketAddress?
        /// The run of the server that the link's lanes lead to.
        var run: UInt128?
        var carriesPackets = true
        /// The server's name, by its certificate.
        var instance: String?
        /// The server's own tunnel addresses.
        var addresses: [IPAddress] = []
        /// How many instances there are behind the endpoint, as this one said last.
        var instances = 1
        var certificates: [UInt64: (lane: Int, certificate: PeerCertificate)] = [:]
        /// Until when connections are made with small segments, for large ones may be lost on the way.
        var narrowUntil: MonotonicTime?
    }

    /// What every path has to carry, less the headers (RFC 8200 section 5, RFC 4821): a path that swallows larger packets without
    /// a word lets a handshake through and nothing after it.
    private static var narrowSegment: Int { 1280 - 60 }
    private static var narrowTime: Nanoseconds { .seconds(600) }

    private let core: ControlCore
    private let paths: ReturnPaths
    private let basePolicy: ClientPolicy
    private let session = UInt128.random(in: .min ... .max)
    private var servers: [Server]
    private var serviceDoor: ServiceDoor?
    private var streamTurn = 0

    private init(_ core: ControlCore, _ policy: ClientPolicy, _ paths: ReturnPaths) {
        self.core = core
        self.paths = paths
        basePolicy = policy
        let now = Clock.now()
        servers = core.configuration.servers.map { Server(endpoint: $0, replica: 0, machine: LinkMachine(at: now)) }
        for link in servers.indices { show(link) }
    }

    /// Puts a wanted link on the board.
    private func show(_ link: Int) {
        let name = servers[link].endpoint.description
        let count = servers.indices.count(where: isWanted)
        core.board.update { state in
            if state.links[link] == nil { state.links[link] = Board.LinkEntry(name: name, endpoint: name) }
            state.expectedLinks = count
        }
    }

    /// Whether there is an instance that a link can be for.
    private func isWanted(_ link: Int) -> Bool {
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
        for index in servers.indices where servers[index].endpoint == endpoint { show(index) }
    }

    /// Sets a client up and runs it to its end.
    static func run(_ configuration: VPNConfiguration, logger: Logger) throws {
        let paths = ReturnPaths()
        var served = RouteTable<Bool>()
        for network in configuration.networks { served.insert(network, true) }
        for address in configuration.addresses { served.insert(IPPrefix(host: address.address), true) }
        var remote = RouteTable<Bool>()
        if !configuration.remoteNetworks.isEmpty {
            for network in configuration.remoteNetworks + configuration.addresses.map(\.prefix) {
                remote.insert(network, true)
            }
        }
        let policy = ClientPolicy(served: served, remote: remote)
        let core = try ControlCore(
            configuration,
            side: .client(policy, paths),
            streamRules: rules(configuration),
            logger: logger
        )
        let listener = try configuration.apiServerListen.map { Handover(try listen(at: $0)) }
        try Privileges.drop(keeping: core.congestionControl.privileges)
        let control = ClientControl(core, policy, paths)
        core.delegate = control
        if let listener = listener?.take() {
            control.serviceDoor = try ServiceDoor(core, listener) { [unowned control] in control.liveLinks }
        }
        logger.notice(
            "dialling",
            metadata: [
                "servers": "\(configuration.servers.map(\.description).joined(separator: " "))",
                "identity": "\(core.board.identity)", "congestion": "\(core.congestionControl)",
            ]
        )
        try withExtendedLifetime(control) { try core.run() }
    }

    /// What servers' streams may reach: the networks that this client serves, and its own addresses in them.
    private static func rules(_ configuration: VPNConfiguration) -> StreamRules {
        var networks = RouteTable<Bool>()
        for network in configuration.networks { networks.insert(network, true) }
        // The server's operator may read this side's status and log.
        let status = SocketAddress(path: configuration.socket).map { [PeerStatus.service.description: $0] } ?? [:]
        return StreamRules(networks: networks, resolvesNames: true, services: status)
    }

    /// Listens at an address that pods of this node use, which the loopback device gets where nobody has it.
    private static func listen(at endpoint: Endpoint) throws(SystemError) -> StreamSocket {
        let address = try SocketAddress.resolve(endpoint)[0]
        do throws(SystemError) {
            return try StreamSocket(listeningAt: address)
        } catch {
            guard error.isNoAddressOfThisHost, let own = address.address else { throw error }
            let routes = try RouteSocket()
            try routes.add(InterfaceAddress(host: own), to: "lo")
            return try StreamSocket(listeningAt: address)
        }
    }

    /// The links that are up, that with the fewest streams first; each time another one among equals.
    private var liveLinks: [Int] {
        let linked = servers.indices.filter { servers[$0].machine.liveCount > 0 }
        let lasting = linked.filter { !core.isRetiring($0) }
        let live = lasting.isEmpty ? linked : lasting
        guard !live.isEmpty else { return [] }
        streamTurn &+= 1
        let first = streamTurn % live.count
        let loads = core.board.streamCounts
        // The order of equals is kept.
        return (live[first...] + live[..<first]).enumerated()
            .sorted { (loads[$0.element] ?? 0, $0.offset) < (loads[$1.element] ?? 0, $1.offset) }.map(\.element)
    }

    // MARK: - Dialling

    func advance(to now: MonotonicTime) -> MonotonicTime? {
        let wanted = servers.indices.filter(isWanted)
        for link in wanted {
            for lane in servers[link].machine.due(at: now) { dial(link, lane, at: now) }
        }
        return (wanted.map { servers[$0].machine.deadline } + [serviceDoor?.advance(to: now)]).compactMap { $0 }.min()
    }

    var waitingRequests: Int { serviceDoor?.waiting ?? 0 }

    func ready(_ token: UInt64, at now: MonotonicTime) { _ = serviceDoor?.ready(token, at: now) }

    private func dial(_ link: Int, _ lane: Int, at now: MonotonicTime) {
        let endpoint = servers[link].endpoint
        if let address = IPAddress(endpoint.host) {
            dial(link, lane, [SocketAddress(address, port: endpoint.port)], at: now)
            return
        }
        // The resolver may take seconds; other links must not wait for it.
        let mailbox = core.mailbox
        do throws(SystemError) {
            let thread = try WorkerThread(name: "resolver") {
                do throws(SystemError) {
                    mailbox.post(.resolved(link: link, lane: lane, .success(try SocketAddress.resolve(endpoint))))
                } catch {
                    mailbox.post(.resolved(link: link, lane: lane, .failure(error)))
                }
            }
            thread.detach()
        } catch {
            giveUp(link, lane, "\(error)", at: now)
        }
    }

    private func dial(_ link: Int, _ lane: Int, _ addresses: [SocketAddress], at now: MonotonicTime) {
        // A name with several addresses is tried in turn.
        let attempt = servers[link].attempts
        servers[link].attempts += 1
        guard !addresses.isEmpty else {
            giveUp(link, lane, "\(servers[link].endpoint.host) has no address", at: now)
            return
        }
        var address = addresses[attempt % addresses.count]
        if servers[link].machine.liveCount > 0, let opened = servers[link].opened, addresses.contains(opened) {
            address = opened
        }
        do {
            let isNarrow = servers[link].narrowUntil.map { now < $0 } ?? false
            let socket = try StreamSocket(connectingTo: address, segmentLimit: isNarrow ? Self.narrowSegment : nil)
            socket.tuneForTunnel(deathAfter: 3)
            let greeting = try Greeting(
                dialling: socket,
                to: address,
                target: (link, lane),
                serverName: core.configuration.serverName ?? hostName(of: servers[link].endpoint),
                congestionControl: core.congestionControl.name,
                hello: hello(lane: lane),
                identity: core.store.current,
                at: now
            )
            core.begin(greeting, at: now)
        } catch {
            giveUp(link, lane, "\(error)", at: now)
        }
    }

    private func hostName(of endpoint: Endpoint) -> String? { IPAddress(endpoint.host) == nil ? endpoint.host : nil }

    private func hello(lane: Int) -> Hello {
        let configuration = core.configuration
        return Hello(
            session: session,
            lane: lane,
            lanes: configuration.lanes,
            mtu: configuration.mtu,
            features: core.features,
            addresses: configuration.addresses.map(\.address),
            networks: configuration.networks,
            software: "tendril-vpn \(Version.text)"
        )
    }

    func failed(_ greeting: Greeting, _ failure: Greeting.Failure, at now: MonotonicTime) {
        guard let (link, lane) = greeting.target else { return }
        if failure.result == Greeting.Failure.timeout { servers[link].narrowUntil = now + Self.narrowTime }
        giveUp(link, lane, failure.reason, at: now)
    }

    private func giveUp(
        _ link: Int,
        _ lane: Int,
        _ reason: String,
        wasElsewhere: Bool = false,
        at now: MonotonicTime
    ) {
        let wait = servers[link].machine.failed(
            lane,
            at: now,
            random: .random(in: .min ... .max),
            wasElsewhere: wasElsewhere
        )
        let server = servers[link].endpoint.description
        core.limiter.log(
            "no link",
            ["server": "\(server)", "reason": "\(reason)", "retry-ms": "\(wait.value / 1_000_000)"],
            to: core.logger,
            at: now
        )
        core.board.update { state in
            state.links[link]?.lastError = reason
            state.links[link]?.lastErrorAt = Clock.unixTime()
        }
    }

    // MARK: - Links

    /// What an instance is called: as its certificate says, with a mark of its run where another link has that name.
    private func name(of introduction: Greeting.Introduction, on link: Int) -> String {
        let (name, run) = (introduction.identity.name, introduction.hello.session)
        let isTaken = servers.indices.contains {
            $0 != link && servers[$0].instance == name && servers[$0].run != run && servers[$0].machine.liveCount > 0
        }
        return isTaken ? "\(name)-\(String(run >> 112, radix: 16))" : name
    }

    func introduced(_ greeting: Greeting, _ introduction: Greeting.Introduction, at now: MonotonicTime) {
        guard let (link, lane) = greeting.target else { return }
        let instance = name(of: introduction, on: link)
        if servers.indices.contains(where: {
            $0 != link && servers[$0].run == introduction.hello.session && servers[$0].machine.liveCount > 0
        }) {
            try? greeting.send(.close, CloseNotice(.duplicateInstance).payload)
            giveUp(
                link,
                lane,
                "\(greeting.address) leads to \(instance), which is linked already",
                wasElsewhere: true,
                at: now
            )
            return
        }
        guard introduction.hello.version == Hello.currentVersion else {
            try? greeting.send(.close, CloseNotice(.versionMismatch).payload)
            giveUp(link, lane, "the server speaks version \(introduction.hello.version)", at: now)
            return
        }
        let server = servers[link]
        if server.machine.liveCount > 0, server.run != introduction.hello.session {
            try? greeting.send(.close, CloseNotice(.duplicateInstance).payload)
            giveUp(
                link,
                lane,
                "\(greeting.address) leads to another server than the link's first lane",
                wasElsewhere: true,
                at: now
            )
            return
        }
        guard core.stillTrusts(introduction.certificate, of: greeting) else {
            giveUp(link, lane, "the server's certificate is not trusted any more", at: now)
            return
        }
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
        if end.isSilence { servers[link].narrowUntil = now + Self.narrowTime }
        core.forget(peer, end)
        let name = servers[link].instance ?? servers[link].endpoint.description
        core.logger.info(
            "lane ended",
            metadata: ["server": "\(name)", "lane": "\(peer.lane)", "reason": "\(end)"]
        )
        guard servers[link].machine.liveCount == 0 else { return }
        core.logger.notice("link down", metadata: ["server": "\(name)", "reason": "\(end)"])
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
