import TendrilCore
import TestSupport
import Testing
import TunnelProtocol

/// A client's link and a server's lanes in memory: every event comes when a seed says, and every run can be repeated.
@Suite("Two sides in memory")
struct SimulationTests {
    @Test(
        "find each other again after every fault and restart, and never speak on a dead lane",
        arguments: 1...60 as ClosedRange<UInt64>
    )
    func convergesAfterFaults(seed: UInt64) {
        var world = World(seed: seed)
        for _ in 0..<400 { world.step() }
        world.heal()
        for _ in 0..<300 { world.step() }
        #expect(world.problems.isEmpty, "seed \(seed)")
        #expect(world.link.liveCount == World.lanes, "seed \(seed): \(world.link.liveCount) lanes are up")
        #expect(world.serverConnections == [World.lanes], "seed \(seed): one link, and nothing left of those before it")
    }

    @Test(
        "notice within 3 s a path that carries nothing, in one direction or in both",
        arguments: 1...20 as ClosedRange<UInt64>,
        [Silence.both, .toServer, .toClient]
    )
    func noticesSilence(seed: UInt64, silence: Silence) {
        var world = World(seed: seed)
        world.isCalm = true
        for _ in 0..<60 { world.step() }
        world.blackHole = silence
        let start = world.now
        while world.link.liveCount > 0, world.now.since(start) < .seconds(10) { world.step() }
        #expect(world.now.since(start) <= Nanoseconds.seconds(3), "seed \(seed)")
    }
}

/// The directions in which a path carries nothing.
struct Silence: OptionSet, Sendable {
    let rawValue: Int

    static let toServer = Silence(rawValue: 1)
    static let toClient = Silence(rawValue: 2)
    static let both: Silence = [.toServer, .toClient]
}

/// The simulated network with both sides on it; a step is 100 ms.
private struct World {
    static let lanes = 2

    private struct Connection {
        let lane: Int
        let generation: UInt64
        /// The server's number of the link.
        let link: Int
        /// A side that was restarted knows nothing of the connection any more.
        var client: LaneMachine?
        var server: LaneMachine?
        var widowedAt: MonotonicTime?
        var toServer: [(at: MonotonicTime, kind: FrameHeader.Kind, payload: [UInt8])] = []
        var toClient: [(at: MonotonicTime, kind: FrameHeader.Kind, payload: [UInt8])] = []
        var silence: Silence = []
        /// A side that stands still neither reads nor writes.
        var isServerStalled = false
        var isClientStalled = false
    }

    private(set) var now = MonotonicTime(nanoseconds: 1_000_000_000)
    private(set) var link: LinkMachine
    private(set) var problems: [String] = []
    var isCalm = false
    var blackHole: Silence = []
    private var random: SeededGenerator
    private var connections: [Connection] = []
    private var nextGeneration: UInt64 = 0
    private var registry = Self.emptyRegistry
    private var session: UInt128 = 1
    private var serverListensAt = MonotonicTime(nanoseconds: 0)

    private static var emptyRegistry: ServerRegistry { ServerRegistry(tunnels: [], own: [], pool: [], bindings: [:]) }

    init(seed: UInt64) {
        random = SeededGenerator(seed: seed)
        link = LinkMachine(at: now)
    }

    /// How many connections each of the server's links has.
    var serverConnections: [Int] { registry.names.keys.map { registry.connectionCount(of: $0) } }

    mutating func heal() {
        isCalm = true
        blackHole = []
        for index in connections.indices {
            connections[index].silence = []
            (connections[index].isServerStalled, connections[index].isClientStalled) = (false, false)
        }
    }

    mutating func step() {
        now = now + .milliseconds(100)
        if !isCalm { causeTrouble() }
        for lane in link.due(at: now) { dial(lane) }
        for index in connections.indices.reversed() { advance(index) }
        registry.expire(at: now)
        if registry.names.count > 1 { problems.append("one client has two links at \(now)") }
        for widow in connections where widow.widowedAt.map({ now.since($0) > .seconds(3) }) == true {
            problems.append("a side did not miss the other by \(now)")
        }
    }

    private mutating func causeTrouble() {
        guard !connections.isEmpty else { return }
        let index = Int(random.next() % UInt64(connections.count))
        let areBothThere = connections[index].client != nil && connections[index].server != nil
        switch random.next() % 40 {
        case 0: connections[index].silence = [Silence.both, .toServer, .toClient][Int(random.next() % 3)]
        case 1 where areBothThere && !connections[index].isClientStalled: connections[index].isServerStalled.toggle()
        case 8 where areBothThere && !connections[index].isServerStalled: connections[index].isClientStalled.toggle()
        case 2: end(index)
        case 3: link.renew(connections[index].lane, at: now)
        case 4: connections[index].server?.requestRenewal()
        case 5: while !connections.isEmpty { end(0) }
        case 6: restartClient()
        case 7: restartServer()
        default: break
        }
    }

    private mutating func restartClient() {
        let isHeard = random.next() % 2 == 0
        for index in connections.indices.reversed() {
            connections[index].client = nil
            bereave(index, isHeard: isHeard)
        }
        session += 1
        link = LinkMachine(at: now)
    }

    private mutating func restartServer() {
        let isHeard = random.next() % 2 == 0
        for index in connections.indices.reversed() {
            connections[index].server = nil
            bereave(index, isHeard: isHeard)
        }
        registry = Self.emptyRegistry
        serverListensAt = now + .milliseconds(random.next() % 2000)
    }

    /// The other side's kernel tells of the end of a process; that of a machine nobody tells.
    private mutating func bereave(_ index: Int, isHeard: Bool) {
        let isForgotten = connections[index].client == nil && connections[index].server == nil
        if isHeard || isForgotten { return end(index) }
        connections[index].widowedAt = now
        (connections[index].isServerStalled, connections[index].isClientStalled) = (false, false)
    }

    private mutating func dial(_ lane: Int) {
        let isMet = blackHole.isEmpty && now >= serverListensAt && (isCalm || random.next() % 4 != 0)
        guard isMet, let number = admit(lane) else {
            link.failed(lane, at: now, random: random.next())
            return
        }
        link.opened(lane, generation: nextGeneration, lanes: Self.lanes, at: now)
        for index in connections.indices where connections[index].lane == lane {
            connections[index].client?.drain(at: now)
            connections[index].server?.drain(at: now)
        }
        connections.append(
            Connection(
                lane: lane,
                generation: nextGeneration,
                link: number,
                client: LaneMachine(at: now),
                server: LaneMachine(at: now)
            )
        )
    }

    /// Has the server take a new connection in; returns its number of the link.
    private mutating func admit(_ lane: Int) -> Int? {
        nextGeneration += 1
        let hello = Hello(
            session: session,
            lane: lane,
            lanes: Self.lanes,
            mtu: 1500,
            features: [.packets],
            addresses: [],
            networks: [],
            software: "simulated"
        )
        guard case .accepted(let link, _, let replaced) = registry.admit("client", hello, generation: nextGeneration)
        else {
            problems.append("refused at \(now)")
            return nil
        }
        if let replaced {
            if connections.contains(where: { $0.link == replaced && $0.client != nil && $0.server != nil }) {
                problems.append("a living link was replaced at \(now)")
            }
            connections.removeAll { $0.link == replaced && $0.client == nil }
        }
        return link
    }

    private mutating func end(_ index: Int) {
        let connection = connections.remove(at: index)
        if connection.client != nil {
            link.ended(connection.lane, generation: connection.generation, at: now, random: random.next())
        }
        if connection.server != nil {
            _ = registry.ended(connection.link, generation: connection.generation, at: now)
        }
    }

    private mutating func advance(_ index: Int) {
        var connection = connections[index]
        var isOver = false
        if !connection.isServerStalled { isOver = deliver(&connection.toServer, to: &connection.server, connection) }
        if !connection.isClientStalled {
            isOver = deliver(&connection.toClient, to: &connection.client, connection) || isOver
        }
        if !connection.isServerStalled {
            isOver = speak(&connection.server, &connection.toClient, connection, towards: .toClient) || isOver
        }
        if !connection.isClientStalled {
            isOver = speak(&connection.client, &connection.toServer, connection, towards: .toServer) || isOver
        }
        connections[index] = connection
        if isOver { end(index) }
    }

    private mutating func deliver(
        _ queue: inout [(at: MonotonicTime, kind: FrameHeader.Kind, payload: [UInt8])],
        to machine: inout LaneMachine?,
        _ connection: Connection
    ) -> Bool {
        while let frame = queue.first, frame.at <= now {
            queue.removeFirst()
            guard var side = machine else { continue }
            defer { machine = side }
            side.heard(at: now)
            do throws(ProtocolViolation) {
                switch try side.receive(frame.kind, frame.payload.span, at: now) {
                case .renew: link.renew(connection.lane, at: now)
                case .closed: return true
                case .none, .roundTrip, .retiring: break
                }
            } catch {
                problems.append("\(error) at \(now)")
            }
        }
        return false
    }

    /// Sends what a machine has to say; returns whether the connection is over.
    private mutating func speak(
        _ machine: inout LaneMachine?,
        _ queue: inout [(at: MonotonicTime, kind: FrameHeader.Kind, payload: [UInt8])],
        _ connection: Connection,
        towards direction: Silence
    ) -> Bool {
        guard var side = machine else { return false }
        defer { machine = side }
        while let output = side.advance(to: now, isQueueEmpty: true) {
            switch output {
            case .finish: return true
            case .send(let kind, let heartbeat):
                var payload: [UInt8] = []
                if let heartbeat {
                    payload = Array(repeating: 0, count: Heartbeat.byteCount)
                    var span = payload.mutableSpan
                    heartbeat.write(to: &span)
                }
                // A connection keeps its order, however long each frame takes.
                let arrival = max(queue.last?.at ?? now, now + .milliseconds(random.next() % 200))
                if connection.silence.union(blackHole).isDisjoint(with: direction) {
                    queue.append((arrival, kind, payload))
                }
            }
        }
        return false
    }
}
