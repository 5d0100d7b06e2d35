import Glibc
import LinuxSystem
import Logging
import Observability
import TLSEngine
import TendrilCore
import TunnelDataPlane
import TunnelProtocol

/// The server's side of control: it accepts, checks, and keeps the books of its links.
final class ServerControl: ControlCore.Delegate, EgressDoor.Guide {
    /// TLS handshakes that may be under way at once; their peers hold the gate key.
    private static var maximumGreetings: Int { 256 }
    /// Connections accepted before other work gets its turn.
    private static var acceptsPerTurn: Int { 128 }
    /// How long the door stays shut after strangers came: a flood is met in bulk, not one by one.
    private static var respite: Nanoseconds { .milliseconds(10) }

    let core: ControlCore
    /// For how long a client that went is missed.
    private static var memory: Nanoseconds { .seconds(3600) }

    private let listener: StreamSocket
    private let flows: FlowTable
    private let session = UInt128.random(in: .min ... .max)
    var registry: ServerRegistry
    private var doorway: Doorway
    private var certificates: [UInt64: (link: Int, lane: Int, certificate: PeerCertificate)] = [:]
    private var nextSweep = MonotonicTime(nanoseconds: 0)
    private var doorOpensAt: MonotonicTime?
    private var strangers = 0
    private var egressDoor: EgressDoor?
    private var peerDoor: EgressDoor?
    /// Clients whose link is down: its number, since when, and what the clock said then.
    private(set) var downSince: [String: (link: Int, at: MonotonicTime, unixTime: UInt64)] = [:]

    private init(
        _ core: ControlCore,
        _ listener: consuming StreamSocket,
        _ registry: ServerRegistry,
        _ flows: FlowTable
    ) {
        self.core = core
        self.listener = listener
        self.registry = registry
        self.flows = flows
        doorway = Doorway(capacity: min(4096, Privileges.raiseDescriptorLimit() / 2))
    }

    /// Sets a server up and runs it to its end.
    static func run(_ configuration: VPNConfiguration, logger: Logger) throws {
        let flows = FlowTable()
        let registry = ServerRegistry(
            tunnels: configuration.addresses.map(\.prefix),
            own: configuration.addresses.map(\.address),
            pool: configuration.networks,
            bindings: configuration.clients,
            followingNodesBut: configuration.nodesKubeconfig.map { _ in configuration.sharedNetworks }
        )
        let side = PacketSide.server(registry.policy(services: configuration.allowInbound), flows)
        let listener = try listen(at: configuration.listen)
        let address = listener.localAddress()?.description ?? configuration.listen.description
        let core = try ControlCore(configuration, side: side, streamRules: rules(configuration), logger: logger)
        let peerPath = VPNConfiguration.peerSocket(beside: configuration.socket)
        let peer = Handover(try LocalListener(path: peerPath, mode: 0o600))
        let egress = try configuration.egressSocket.map { path in
            Handover(try LocalListener(path: path, mode: 0o660))
        }
        let secureEgress = try configuration.egressOverTLS.flatMap { settings in
            try configuration.egressSocket.map { try SecureEgress(settings, leadingTo: $0, logger: logger) }
        }
        try Privileges.drop(keeping: core.congestionControl.privileges)
        try core.poller.watch(listener.rawDescriptor, for: .readable, token: ControlCore.Token.listener)
        let control = ServerControl(core, listener, registry, flows)
        core.delegate = control
        if let listener = egress?.take() {
            control.egressDoor = try EgressDoor(core, listener, for: .targets, guide: control)
        }
        try secureEgress?.start()
        if let path = configuration.nodesKubeconfig {
            let mailbox = core.mailbox
            try NodeFollower(kubeconfig: path, within: configuration.networks) { mailbox.post(.nodes($0)) }.start()
        }
        if let listener = peer.take() {
            control.peerDoor = try EgressDoor(core, listener, for: .peerStatus, guide: control)
        }
        logger.notice(
            "listening",
            metadata: [
                "address": "\(address)", "identity": "\(core.board.identity)",
                "congestion": "\(core.congestionControl)",
            ]
        )
        try withExtendedLifetime(control) { try core.run() }
    }

    /// What clients' streams may reach: the one service, if it is named.
    private static func rules(_ configuration: VPNConfiguration) -> StreamRules {
        guard let server = configuration.apiServer, let address = IPAddress(server.host) else { return StreamRules() }
        let name = StreamTarget.apiServer.description
        return StreamRules(services: [name: SocketAddress(address, port: server.port)])
    }

    /// Listens at an endpoint; without a host at every address, of IPv4 alone where the kernel has no IPv6.
    private static func listen(at endpoint: Endpoint) throws(SystemError) -> StreamSocket {
        guard endpoint.host.isEmpty else {
            let address = try SocketAddress.resolve(endpoint)[0]
            return try StreamSocket(listeningAt: address)
        }
        let everywhere = SocketAddress(IPAddress(v6High: 0, low: 0), port: endpoint.port)
        do throws(SystemError) {
            return try StreamSocket(listeningAt: everywhere)
        } catch  where error.code == EAFNOSUPPORT || error.code == EADDRNOTAVAIL {
            let address = SocketAddress(IPAddress(v4: 0), port: endpoint.port)
            return try StreamSocket(listeningAt: address)
        }
    }

    // MARK: - Connections

    func ready(_ token: UInt64, at now: MonotonicTime) {
        if token == ControlCore.Token.listener {
            accept(at: now)
        } else if let visitor = doorway.visitor(token) {
            look(at: visitor, token, at: now)
        } else {
            _ = egressDoor?.ready(token, at: now) == true || peerDoor?.ready(token, at: now) == true
        }
    }

    // MARK: - Streams

    var waitingRequests: Int { (egressDoor?.waiting ?? 0) + (peerDoor?.waiting ?? 0) }

    private func accept(at now: MonotonicTime) {
        strangers = 0
        defer { if strangers > 1 { shutDoor(at: now) } }
        for _ in 0..<Self.acceptsPerTurn {
            do throws(SystemError) {
                guard let (descriptor, address) = try listener.accept() else { return }
                let token = core.takeToken()
                if let leaver = doorway.enter(token, descriptor, address, at: now) {
                    dismiss(leaver, "crowded", at: now)
                }
                guard let visitor = doorway.visitor(token) else { continue }
                look(at: visitor, token, at: now)
                // Only one that has not said enough yet is worth watching.
                if doorway.visitor(token) != nil {
                    try core.poller.watch(descriptor, for: [.readable, .edge], token: token)
                }
            } catch {
                core.limiter.log("could not accept", ["reason": "\(error)"], to: core.logger, at: now)
                // Out of descriptors, as a rule: a stranger makes room, and the kernel keeps the rest for a moment.
                if let oldest = doorway.oldest() { dismiss(oldest, "crowded", at: now) }
                shutDoor(at: now)
                return
            }
        }
    }

    /// Lets connections wait in the kernel for a moment, where they cost nothing.
    private func shutDoor(at now: MonotonicTime) {
        doorOpensAt = now + Self.respite
        try? core.poller.rewatch(listener.rawDescriptor, for: [], token: ControlCore.Token.listener)
    }

    private func openDoor() {
        doorOpensAt = nil
        try? core.poller.rewatch(listener.rawDescriptor, for: .readable, token: ControlCore.Token.listener)
    }

    private func look(at visitor: Doorway.Visitor, _ token: UInt64, at now: MonotonicTime) {
        switch doorway.inspect(visitor, keys: core.store.current.gate.verify) {
        case .incomplete: return
        case .refused(let refusal): dismiss(token, refusal.map { "gate-\($0.rawValue)" } ?? "gate-closed", at: now)
        case .admitted: greet(token, at: now)
        }
    }

    private func greet(_ token: UInt64, at now: MonotonicTime) {
        guard core.greetingCount < Self.maximumGreetings else {
            dismiss(token, "overloaded", at: now)
            return
        }
        guard let visitor = doorway.leave(token), let socket = visitor.socket.take() else { return }
        core.poller.unwatch(visitor.descriptor)
        socket.tuneForTunnel(deathAfter: 3)
        do {
            if let name = core.congestionControl.name { try socket.setCongestionControl(name) }
            let greeting = try Greeting(accepted: socket, from: visitor.address, identity: core.store.current, at: now)
            core.begin(greeting, at: now)
        } catch {
            core.limiter.log("could not begin TLS", ["reason": "\(error)"], to: core.logger, at: now)
        }
    }

    /// Closes a stranger's connection without a byte.
    private func dismiss(_ token: UInt64, _ result: String, at now: MonotonicTime) {
        guard let visitor = doorway.leave(token) else { return }
        strangers += 1
        core.poller.unwatch(visitor.descriptor)
        core.count(result)
        core.limiter.log(
            "connection turned away",
            ["reason": "\(result)", "peer": "\(visitor.address)"],
            to: core.logger,
            at: now
        )
    }

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
            try? greeting.send(.close, CloseNotice(.notAuthorised).payload)
            core.count("revoked")
            return
        }
        if !greeting.isConfirmed, registry.hasLane(introduction.hello, of: name) {
            guard (try? greeting.send(.hello, ownHello(lane: introduction.hello.lane).payload)) != nil else { return }
            greeting.awaitConfirmation(of: introduction)
            core.begin(greeting, at: now)
            return
        }
        let generation = core.takeGeneration()
        switch registry.admit(name, introduction.hello, generation: generation) {
        case .refused(let notice):
            try? greeting.send(.close, notice.payload)
            core.count("refused")
            core.limiter.log(
                "client refused",
                ["reason": "\(notice)", "client": "\(name)", "peer": "\(greeting.address)"],
                to: core.logger,
                at: now
            )
        case .accepted(let link, let bound, let replaced):
            if let replaced { drop(replaced) }
            note(link, name, introduction, greeting)
            guard
                greeting.isConfirmed
                    || (try? greeting.send(.hello, ownHello(lane: introduction.hello.lane).payload)) != nil
            else {
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
            egressDoor?.linkUp()
            peerDoor?.linkUp()
            if core.isOutdated(greeting) {
                core.workers[introduction.hello.lane % core.workers.count].mailbox.post(.renew)
            }
        }
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
        if case .violation = end { core.count("violation") }
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
        while let token = doorway.overdue(at: now) { dismiss(token, "gate-timeout", at: now) }
        if now >= nextSweep {
            nextSweep = now + .seconds(5)
            registry.expire(at: now)
            downSince = downSince.filter { now < $0.value.at + Self.memory }
            let (flows, expected, known) = (self.flows.sweep(at: now), expectedLinks, knownNames)
            core.board.update { ($0.flows, $0.expectedLinks, $0.knownNames) = (flows, expected, known) }
        }
        if let doorOpensAt, doorOpensAt <= now { openDoor() }
        let visitors = doorway.count
        core.board.update { $0.visitors = visitors }
        let doors = [
            doorOpensAt ?? (visitors > 0 ? now + .milliseconds(250) : nil), egressDoor?.advance(to: now),
            peerDoor?.advance(to: now),
        ]
        return doors.compactMap { $0 }.min()
    }
}
