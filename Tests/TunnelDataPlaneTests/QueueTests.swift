import Glibc
import LinuxSystem
import TLSEngine
import TendrilCore
import TestSupport
import Testing
import TunnelDataPlane
import TunnelProtocol

@Suite("Queues of the TUN device")
struct QueueTests {
    /// Two workers, each with a queue, and a lane of each worker to a peer.
    private final class Crew {
        let workers: [Worker]
        let peers: [RawPeer]
        let counters: [LaneCounters]
        private let descriptors: [CInt]

        /// Makes both, with a lane of each, or of the second one alone.
        init(mtu: Int = 1500, isFirstLinked: Bool = true) throws {
            let network = IPPrefix("10.2.0.0/16").map { [$0] } ?? []
            let policy = ServerPolicy(
                routes: RouteTable(network.map { ($0, 0) }),
                shoot: RouteTable(network.map { ($0, true) })
            )
            let laneMap = LaneMap()
            let flows = FlowTable()
            var (workers, peers): ([Worker], [RawPeer]) = ([], [])
            var descriptors: [CInt] = []
            let counters = [LaneCounters(), LaneCounters()]
            for index in 0..<2 {
                let queue = try WorkerHarness.socketPair(CInt(SOCK_SEQPACKET.rawValue))
                descriptors.append(queue.0)
                let worker = try Worker(
                    index: index,
                    laneMap: laneMap,
                    tun: TUNQueue(owning: OwnedDescriptor(owning: queue.1), name: "test"),
                    side: .server(policy, flows)
                ) { _ in }
                let ends = try WorkerHarness.socketPair(CInt(SOCK_STREAM.rawValue))
                let sessions = try SessionPair()
                let bound = RouteTable(network.map { ($0, true) })
                let peer = LanePeer(
                    link: 0,
                    lane: index,
                    generation: 1,
                    bound: bound,
                    mtu: mtu,
                    expiry: .max,
                    takesStreams: true
                )
                let lane = Lane(
                    StreamSocket(owning: OwnedDescriptor(owning: ends.0)),
                    try sessions.takeServer(),
                    peer: peer,
                    counters: counters[index],
                    leftover: [],
                    unsent: [],
                    at: Clock.now()
                )
                if index > 0 || isFirstLinked { worker.mailbox.post(.adopt(lane)) }
                peers.append(RawPeer(ends.1, try sessions.takeClient()))
                workers.append(worker)
            }
            for worker in workers { try worker.join(workers) }
            (self.workers, self.peers, self.descriptors, self.counters) = (workers, peers, descriptors, counters)
            turn()
        }

        deinit { for descriptor in descriptors { close(descriptor) } }

        func turn() { for _ in 0..<2 { for worker in workers { _ = worker.turn(isWaiting: false) } } }

        /// A packet that the kernel puts into a queue.
        func send(_ packet: [UInt8], queue: Int) {
            let bytes = [UInt8](repeating: 0, count: 10) + packet
            _ = Glibc.send(descriptors[queue], bytes, bytes.count, CInt(MSG_DONTWAIT))
        }

        /// The packets that the worker of a lane has sent.
        func carried(lane: Int) throws -> [[UInt8]] {
            try peers[lane].frames().filter { $0.kind == 16 }.map { Array($0.payload[10...]) }
        }

        /// How many packets the worker of a lane has sent.
        func packets(lane: Int) throws -> Int { try peers[lane].frames().count { $0.kind == 16 } }

        /// How many packets the kernel was given through a queue.
        func written(to queue: Int) -> Int {
            var (buffer, count) = ([UInt8](repeating: 0, count: 70_000), 0)
            while recv(descriptors[queue], &buffer, buffer.count, CInt(MSG_DONTWAIT)) > 0 { count += 1 }
            return count
        }
    }

    private func request(_ port: UInt16) -> [UInt8] {
        TestPacket.tcp("10.1.0.1", "10.2.0.5", ports: (port, 80), flags: 2)
    }
    private func answer(_ port: UInt16) -> [UInt8] {
        TestPacket.tcp("10.2.0.5", "10.1.0.1", ports: (80, port), flags: 18)
    }

    @Test("are read by one worker while there is little to do, by each its own when there is much, and by one again")
    func areShared() throws {
        let crew = try Crew()
        func sends(through queue: Int) throws -> [Int] {
            crew.send(request(1000), queue: queue)
            crew.turn()
            return [try crew.packets(lane: 0), try crew.packets(lane: 1)]
        }
        #expect(try sends(through: 1) == [1, 0])
        // Heavy turns, then a tick; they do not count where the thread is kept from them for several ticks.
        for _ in 0..<20 where !crew.workers[0].isWide {
            for _ in 0..<8 {
                for _ in 0..<16 { crew.send(request(1000), queue: 0) }
                crew.turn()
            }
            _ = try crew.packets(lane: 0)
            usleep(150_000)
            for _ in 0..<2 { crew.turn() }
            usleep(150_000)
            crew.turn()
        }
        #expect(crew.workers[0].isWide)
        #expect(try sends(through: 1) == [0, 1])
        #expect(try sends(through: 0) == [1, 0])
        // It was long ago.
        for worker in crew.workers { worker.lastHeavy.store(1, at: 0) }
        usleep(150_000)
        for _ in 0..<2 { crew.turn() }
        #expect(!crew.workers[0].isWide)
        #expect(try sends(through: 1) == [1, 0])
        #expect(try sends(through: 0) == [1, 0])
    }

    @Test("of a worker without a lane lead to another's, where the far end's MTU is heeded as ever")
    func heedsMTU() throws {
        let crew = try Crew(mtu: 1280, isFirstLinked: false)
        crew.send(TestPacket.tcp("10.1.0.1", "10.2.0.5", flags: 2, mss: 8960), queue: 0)
        crew.turn()
        let carried = try crew.carried(lane: 1)
        let packet = try #require(carried.first)
        #expect(carried.count == 1 && Int(packet[42]) << 8 | Int(packet[43]) == 1240 && TestPacket.isSound(packet))
        crew.send(TestPacket.udp("10.1.0.1", "10.2.0.5", payload: 1300), queue: 0)
        crew.turn()
        let more = try crew.carried(lane: 1)
        // The sender is told.
        #expect(more.isEmpty && crew.written(to: 0) + crew.written(to: 1) == 1)
        #expect(crew.workers[1].counters[.tooBig] == 1)
    }

    @Test("get each flow's packets whichever lane they came in by")
    func areChosenByFlow() throws {
        let crew = try Crew()
        let ports: Range<UInt16> = 1000..<1064
        for port in ports { crew.send(request(port), queue: 0) }
        crew.turn()
        var counts: [[Int]] = []
        for peer in crew.peers {
            for port in ports { try peer.write(RawPeer.frame(16, Array(repeating: 0, count: 10) + answer(port))) }
            while !peer.flush() { crew.turn() }
            crew.turn()
            counts.append([crew.written(to: 0), crew.written(to: 1)])
        }
        #expect(counts[0] == counts[1] && counts[0].reduce(0, +) == ports.count)
        #expect(counts[0].allSatisfy { $0 > 16 })
    }

    @Test("lead into lanes that hold no more than they may, and mark what has stood for too long")
    func areBounded() throws {
        let crew = try Crew()
        let packet = TestPacket.tcp("10.1.0.1", "10.2.0.5", payload: 1400, ecn: 2)
        // Nobody reads at the other end.
        for round in 0..<200 {
            for _ in 0..<32 { crew.send(packet, queue: 0) }
            crew.turn()
            if round % 40 == 0 { usleep(110_000) }
        }
        // The figures are told once a second.
        usleep(1_100_000)
        crew.turn()
        let held = crew.counters[0][.queueBytes]
        #expect(held > 100_000 && held <= UInt64(QueueLimit.ceiling), "\(held)")
        #expect(crew.workers[0].counters[.queueFull] > 0 && crew.counters[0][.congestionMarks] == 0)
        var marked = 0
        for _ in 0..<200 {
            let packets = try crew.carried(lane: 0)
            marked += packets.count { $0.count == packet.count && $0[1] & 3 == 3 && TestPacket.isSound($0) }
            crew.turn()
            usleep(20_000)
            if marked > 0 { break }
        }
        #expect(marked > 0 && crew.counters[0][.congestionMarks] > 0)
    }

    @Test("of a flow are the same at both ends of a link")
    func areTheSameAtBothEnds() throws {
        let server = PacketSide.server(ServerPolicy(routes: RouteTable(), shoot: RouteTable()), FlowTable())
        let client = PacketSide.client(
            ClientPolicy(served: RouteTable(), remote: RouteTable(), links: [0]),
            ReturnPaths()
        )
        for port in 1000..<1100 as Range<UInt16> {
            let there = try InnerPacket.parse(request(port).span)
            let back = try InnerPacket.parse(answer(port).span)
            #expect(server.queue(inward: back, count: 16) == client.queue(inward: there, count: 16))
        }
    }

    @Test("are shared for as long as the load is heavy, not for one burst")
    func loadIsHeavyByTurns() {
        var load = QueueLoad()
        load.note(packets: 64, bytes: 0)
        load.note(packets: 0, bytes: 1 << 20)
        load.noteBlocked()
        for _ in 0..<100 { load.note(packets: 15, bytes: 65_535) }
        let afterBurst = load.take()
        for _ in 0..<4 { load.note(packets: 16, bytes: 0) }
        let (heavy, again) = (load.take(), load.take())
        #expect(!afterBurst && heavy && !again)
    }
}
