import TendrilCore
import TestSupport
import TunnelProtocol

/// Clients, and instances of their servers behind balancers, with the rules of both sides; a step is 100 ms.
struct InstanceWorld {
    static let lanes = 2
    private static let silence: Nanoseconds = .milliseconds(2500)

    struct Server {
        /// Which balancer leads to it.
        let endpoint: Int
        var run: UInt128
        var registry = ServerRegistry(tunnels: [], own: [], pool: [], bindings: [:])
        /// How many it says there are behind its balancer.
        var instances: Int
        var listensAt: MonotonicTime? = MonotonicTime(nanoseconds: 0)
        var stalledSince: MonotonicTime?
    }

    struct Client {
        let name: String
        var session: UInt128
        var links: InstanceSet
        var stalledSince: MonotonicTime?
    }

    /// A connection, from the client's first word on.
    struct Connection {
        enum Stage {
            /// The client's hello is on its way.
            case asking
            /// The server's is.
            case answered
            /// The client goes on, and its word of it is on its way to a server that waits for it.
            case confirming
            case open
        }

        let client: Int
        let session: UInt128
        let link: Int
        let lane: Int
        let generation: UInt64
        let server: Int
        let run: UInt128
        let begin: MonotonicTime
        var stage = Stage.asking
        /// When what is on its way arrives.
        var arrival: MonotonicTime
        /// The server's number of the link, once it has admitted it.
        var admitted: Int?
        /// When each side hears that it is over; a side that has gone hears nothing.
        var clientEnd: MonotonicTime?
        var serverEnd: MonotonicTime?
        var isClientDone = false
        var isServerDone = false
    }

    private(set) var now = MonotonicTime(nanoseconds: 1_000_000_000)
    private(set) var servers: [Server]
    private(set) var problems: [String] = []
    /// How many open connections have ended, and how often a client was led to an instance that it does not want.
    private(set) var ends = 0
    private(set) var probes = 0
    private var clients: [Client]
    private var connections: [Connection] = []
    private var isCalm = false
    private var random: SeededGenerator
    private var lastNumber: UInt64 = 0
    private let endpoints: [Endpoint]

    init(seed: UInt64) {
        random = SeededGenerator(seed: seed)
        let (balancers, each, crowd) = (1 + seed % 2, 1 + seed / 2 % 3, 1 + seed / 6 % 3)
        endpoints = (0..<balancers).map { Endpoint(host: "balancer-\($0)", port: 8132) }
        servers = (0..<(balancers * each)).map {
            Server(endpoint: Int($0 % balancers), run: UInt128($0) + 1, instances: Int(each))
        }
        clients = []
        for number in 0..<crowd {
            let links = InstanceSet(endpoints, at: now)
            clients.append(Client(name: "client-\(number)", session: UInt128(number) + 1, links: links))
        }
        lastNumber = 1000
    }

    private mutating func chance(_ one: UInt64) -> Bool { random.next() % one == 0 }

    /// A number that nothing else has.
    private mutating func takeNumber() -> UInt64 {
        lastNumber += 1
        return lastNumber
    }

    private mutating func latency() -> Nanoseconds { .milliseconds(random.next() % 3 * 100) }

    private func isUp(_ server: Int) -> Bool { servers[server].listensAt.map { $0 <= now } ?? false }

    // MARK: - What happens to it

    /// Has nothing go wrong any more; all servers listen, and nobody stands still.
    mutating func heal() {
        isCalm = true
        for server in servers.indices {
            servers[server].stalledSince = nil
            servers[server].listensAt = servers[server].listensAt ?? now
        }
        for client in clients.indices { clients[client].stalledSince = nil }
    }

    /// Makes steps until all is as it should be, for a quarter of an hour at most.
    mutating func converge() {
        for round in 0..<9000 {
            step()
            if round % 10 == 9, discord == nil { return }
        }
    }

    /// Ends a server for good; the others go on saying that it is there.
    mutating func stop(_ server: Int) {
        end(ofServer: server, isHeard: true)
        servers[server].listensAt = nil
    }

    /// Leaves one instance behind each balancer, which is started anew and knows that it is alone; not all clients hear of it at once.
    mutating func shrink() {
        for server in servers.indices {
            end(ofServer: server, isHeard: chance(2))
            (servers[server].instances, servers[server].listensAt) = (1, server < endpoints.count ? now : nil)
        }
    }

    /// Has all connections break at once, of which both sides hear; what streams were on them wait for their instances.
    mutating func blip() { for index in connections.indices { finish(index, after: Nanoseconds(0)) } }

    mutating func step() {
        now = now + .milliseconds(100)
        if !isCalm { causeTrouble() }
        for client in clients.indices where clients[client].stalledSince == nil { dial(from: client) }
        for index in connections.indices { advance(index) }
        connections.removeAll { $0.isClientDone && $0.isServerDone }
        for server in servers.indices { servers[server].registry.expire(at: now) }
        check()
    }

    private mutating func causeTrouble() {
        let server = Int(random.next() % UInt64(servers.count))
        let client = Int(random.next() % UInt64(clients.count))
        switch random.next() % 60 {
        case 0:
            if let one = connections.indices.randomElement(using: &random) { finish(one, after: Nanoseconds(0)) }
        case 1:
            end(ofServer: server, isHeard: chance(2))
            servers[server].listensAt = now + .milliseconds(random.next() % 3000)
        case 2: restart(client: client)
        case 3: servers[server].stalledSince = servers[server].stalledSince == nil ? now : nil
        case 4: clients[client].stalledSince = clients[client].stalledSince == nil ? now : nil
        case 5:
            let link = Int(random.next() % UInt64(clients[client].links.indices.count))
            clients[client].links[link].machine.renew(Int(random.next() % UInt64(Self.lanes)), at: now)
        default: break
        }
    }

    private mutating func end(ofServer server: Int, isHeard: Bool) {
        // Of a machine that is gone nobody tells.
        let heard = now + (isHeard ? Nanoseconds(0) : Self.silence)
        for index in connections.indices where connections[index].server == server {
            connections[index].isServerDone = true
            connections[index].clientEnd = connections[index].clientEnd ?? heard
        }
        servers[server].run = UInt128(takeNumber())
        servers[server].registry = ServerRegistry(tunnels: [], own: [], pool: [], bindings: [:])
        servers[server].stalledSince = nil
    }

    private mutating func restart(client: Int) {
        let heard = now + (chance(2) ? Nanoseconds(0) : Self.silence)
        for index in connections.indices where connections[index].client == client {
            connections[index].isClientDone = true
            connections[index].serverEnd = connections[index].serverEnd ?? heard
        }
        clients[client].session = UInt128(takeNumber())
        clients[client].links = InstanceSet(endpoints, at: now)
        clients[client].stalledSince = nil
    }

    // MARK: - Connections

    private mutating func dial(from client: Int) {
        for link in clients[client].links.wanted(at: now) {
            for lane in clients[client].links[link].machine.due(at: now) { dial(from: client, link, lane) }
        }
    }

    private mutating func dial(from client: Int, _ link: Int, _ lane: Int) {
        let endpoint = clients[client].links[link].endpoint
        let behind = servers.indices.filter { endpoints[servers[$0].endpoint] == endpoint && isUp($0) }
        guard let server = behind.randomElement(using: &random), isCalm || !chance(4) else {
            return fail(client, link, lane)
        }
        let (number, arrival) = (takeNumber(), now + latency())
        connections.append(
            Connection(
                client: client,
                session: clients[client].session,
                link: link,
                lane: lane,
                generation: number,
                server: server,
                run: servers[server].run,
                begin: now,
                arrival: arrival
            )
        )
    }

    private mutating func fail(_ client: Int, _ link: Int, _ lane: Int, isElsewhere: Bool = false) {
        let number = random.next()
        clients[client].links[link].machine.failed(lane, at: now, random: number, wasElsewhere: isElsewhere)
    }

    /// Has both sides hear that a connection is over.
    private mutating func finish(_ index: Int, after wait: Nanoseconds) {
        connections[index].clientEnd = min(connections[index].clientEnd ?? now + wait, now + wait)
        connections[index].serverEnd = min(connections[index].serverEnd ?? now + wait, now + wait)
    }

    private mutating func advance(_ index: Int) {
        let (client, server) = (connections[index].client, connections[index].server)
        let isServerStill = servers[server].stalledSince != nil
        let isClientStill = clients[client].stalledSince != nil
        for since in [clients[client].stalledSince, servers[server].stalledSince].compactMap({ $0 })
        where now >= since + Self.silence { finish(index, after: Nanoseconds(0)) }
        // Nobody waits longer than that for the other to say who it is (docs/protocol.md).
        if connections[index].stage != .open, now >= connections[index].begin + .seconds(5) {
            finish(index, after: Nanoseconds(0))
        }
        if !isServerStill, !connections[index].isServerDone { advanceServer(index) }
        if !isClientStill, !connections[index].isClientDone { advanceClient(index) }
    }

    private mutating func advanceServer(_ index: Int) {
        let connection = connections[index]
        if let end = connection.serverEnd, end <= now {
            connections[index].isServerDone = true
            connections[index].clientEnd = connection.clientEnd ?? now
            if let link = connection.admitted {
                _ = servers[connection.server].registry.ended(link, generation: connection.generation, at: now)
            }
            return
        }
        guard connection.arrival <= now else { return }
        switch connection.stage {
        case .asking:
            let arrival = now + latency()
            (connections[index].stage, connections[index].arrival) = (.answered, arrival)
            let registry = servers[connection.server].registry
            // Who has this lane here may only look for another instance.
            if !registry.hasLane(hello(of: connection), of: clients[connection.client].name) { admit(index) }
        case .confirming:
            connections[index].stage = .open
            if connection.admitted == nil { admit(index) }
        case .answered, .open: break
        }
    }

    private func hello(of connection: Connection) -> Hello { hello(connection.session, lane: connection.lane) }

    private func hello(_ run: UInt128, lane: Int, instances: Int = 1) -> Hello {
        Hello(
            session: run,
            lane: lane,
            lanes: Self.lanes,
            mtu: 1500,
            features: [.packets],
            addresses: [],
            networks: [],
            software: "simulated",
            instances: instances
        )
    }

    private mutating func admit(_ index: Int) {
        let connection = connections[index]
        let (name, words) = (clients[connection.client].name, hello(of: connection))
        let admission = servers[connection.server].registry.admit(name, words, generation: connection.generation)
        guard case .accepted(let link, _, let replaced) = admission else {
            problems.append("refused at \(now)")
            return
        }
        connections[index].admitted = link
        for other in connections.indices
        where other != index && connections[other].server == connection.server && !connections[other].isServerDone {
            if connections[other].admitted == replaced, replaced != nil {
                if connections[other].session == connection.session { problems.append("one replaced itself at \(now)") }
                connections[other].isServerDone = true
                connections[other].clientEnd = connections[other].clientEnd ?? now
            } else if connections[other].admitted == link, connections[other].lane == connection.lane {
                finish(other, after: .seconds(2))
            }
        }
    }

    private mutating func advanceClient(_ index: Int) {
        let connection = connections[index]
        let (client, link, lane) = (connection.client, connection.link, connection.lane)
        let isOpen = connection.stage == .open || connection.stage == .confirming
        if let end = connection.clientEnd, end <= now {
            connections[index].isClientDone = true
            connections[index].serverEnd = connection.serverEnd ?? now
            guard isOpen else { return fail(client, link, lane) }
            ends += 1
            let number = random.next()
            clients[client].links.ended(
                lane,
                of: link,
                generation: connection.generation,
                at: now,
                random: number
            )
            return
        }
        guard connection.stage == .answered, connection.arrival <= now else { return }
        let instances = servers[connection.server].instances
        let answer = hello(connection.run, lane: lane, instances: instances)
        if let objection = clients[client].links.objection(to: answer, of: "server", on: link, at: now) {
            probes += 1
            let end = now + latency()
            (connections[index].isClientDone, connections[index].serverEnd) = (true, end)
            return fail(client, link, lane, isElsewhere: objection.isElsewhere)
        }
        clients[client].links.opened(
            lane,
            of: link,
            generation: connection.generation,
            answer,
            of: "server",
            lanes: Self.lanes,
            at: now
        )
        let arrival = now + latency()
        (connections[index].stage, connections[index].arrival) = (.confirming, arrival)
        // The one before it is drained.
        for other in connections.indices
        where other != index && connections[other].client == client && connections[other].link == link
            && connections[other].lane == lane && !connections[other].isClientDone
            && (connections[other].stage == .open || connections[other].stage == .confirming)
        {
            finish(other, after: .milliseconds(200))
        }
    }

    // MARK: - What has to be so

    /// What must hold at every moment.
    private mutating func check() {
        for client in clients {
            let runs = client.links.links.filter(\.isUp).compactMap(\.run)
            if Set(runs).count < runs.count { problems.append("\(client.name) has two links to one at \(now)") }
        }
        for server in servers where Set(server.registry.names.values).count < server.registry.names.count {
            problems.append("a server has two links of one client at \(now)")
        }
    }

    /// Which instance each link of each client leads to; `nil` for those that are down.
    var runs: [[UInt128?]] { clients.map { $0.links.links.map { $0.isUp ? $0.run : nil } } }

    /// Whether each client looks for as many instances as there are.
    var isExact: Bool {
        let count = servers.indices.filter(isUp).count
        return clients.allSatisfy { $0.links.wanted(at: now).count == count }
    }

    /// What is not as it should be when nothing goes wrong any more.
    var discord: String? {
        let up = servers.indices.filter(isUp)
        let runs = Set(up.map { servers[$0].run })
        for client in clients {
            let live = client.links.links.filter(\.isUp)
            guard Set(live.compactMap(\.run)) == runs else { return "\(client.name) has other links" }
            guard live.allSatisfy({ $0.machine.liveCount == Self.lanes }) else { return "\(client.name) misses lanes" }
        }
        for server in up {
            let registry = servers[server].registry
            guard registry.names.count == clients.count,
                registry.names.keys.allSatisfy({ registry.connectionCount(of: $0) == Self.lanes })
            else { return "server \(server) has other links" }
        }
        return nil
    }
}
