import TendrilCore
import TestSupport
import Testing
import TunnelProtocol

@Suite("The route table")
struct RouteTableTests {
    @Test("finds what a search through all prefixes finds", arguments: 1...20 as ClosedRange<UInt64>)
    func agreesWithSearch(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var table = RouteTable<Int>()
        var list: [(prefix: IPPrefix, value: Int)] = []
        for value in 0..<Int(random.next() % 200) {
            let prefix = Self.prefix(&random)
            let isNew = !list.contains { $0.prefix == prefix }
            #expect(table.insert(prefix, value) == isNew)
            if isNew { list.append((prefix, value)) }
        }
        for _ in 0..<2000 {
            let address = Self.address(&random)
            let expected = list.filter { $0.prefix.contains(address) }.max { $0.prefix.length < $1.prefix.length }
            #expect(table.lookup(address) == expected?.value)
        }
    }

    /// Addresses that share many leading bits, so that prefixes nest.
    private static func address(_ random: inout SeededGenerator) -> IPAddress {
        let family: IPAddress.Family = random.next() % 2 == 0 ? .v4 : .v6
        let bits = UInt128(random.next() & 0x0F0F) << 112 | UInt128(random.next()) << 32
        return IPAddress(family: family, bits: bits)
    }

    private static func prefix(_ random: inout SeededGenerator) -> IPPrefix {
        let address = address(&random)
        let length = Int(random.next() % UInt64(address.family.bitWidth + 1))
        return IPPrefix(containing: address, length: length) ?? IPPrefix(host: address)
    }
}

@Suite("The flow table")
struct FlowTableTests {
    private func key(_ port: UInt16) throws -> FlowKey {
        FlowKey(outward: try InnerPacket.parse(TestPacket.udp("10.1.0.1", "10.2.0.1", ports: (port, 53)).span))
    }

    private func time(_ seconds: UInt64) -> MonotonicTime { MonotonicTime(nanoseconds: seconds * 1_000_000_000) }

    @Test("knows a flow for its lifetime")
    func knowsForLifetime() throws {
        let table = FlowTable(buckets: 16)
        let flow = try key(1)
        #expect(!table.isKnown(flow, within: 180, at: time(1000)))
        table.note(flow, at: time(1000))
        #expect(table.isKnown(flow, within: 180, at: time(1179)))
        #expect(!table.isKnown(flow, within: 180, at: time(1190)))
        #expect(!table.isKnown(try key(2), within: 180, at: time(1000)))
    }

    @Test("forgets the oldest when a bucket is full")
    func forgetsOldest() throws {
        let table = FlowTable(buckets: 1)
        for port in 1...9 { table.note(try key(UInt16(port)), at: time(UInt64(port) * 10)) }
        #expect(!table.isKnown(try key(1), within: 1000, at: time(100)))
        for port in 2...9 { #expect(table.isKnown(try key(UInt16(port)), within: 1000, at: time(100))) }
    }

    @Test("is not confused by a clock that another thread read a moment later")
    func toleratesClockSkew() throws {
        let table = FlowTable(buckets: 1)
        table.note(try key(1), at: time(1004))
        #expect(table.isKnown(try key(1), within: 180, at: time(1003)))
        #expect(table.sweep(at: time(1003)) == 1)
    }

    @Test("is empty again once swept late")
    func sweeps() throws {
        let table = FlowTable(buckets: 64)
        for port in 1...100 { table.note(try key(UInt16(port)), at: time(100)) }
        #expect(table.sweep(at: time(101)) == 100)
        #expect(table.sweep(at: time(100 + 9 * 3600)) == 0)
    }
}

@Suite("The server's policy")
struct ServerPolicyTests {
    private let flows = FlowTable(buckets: 64)
    private let now = MonotonicTime(nanoseconds: 1_000_000_000_000)
    private let policy = ServerPolicy(
        routes: RouteTable(
            [(IPPrefix("10.2.0.0/16"), 3), (IPPrefix("10.3.0.0/16"), 4)].compactMap { pair in
                pair.0.map { ($0, pair.1) }
            }
        ),
        shoot: RouteTable([IPPrefix("10.2.0.0/16"), IPPrefix("10.3.0.0/16")].compactMap { $0.map { ($0, true) } }),
        services: [InboundService("tcp/10.1.0.9:443")].compactMap { $0 }
    )
    private let bound = RouteTable([IPPrefix("10.2.0.0/16")].compactMap { $0.map { ($0, true) } })

    private func outward(_ bytes: [UInt8]) throws -> Int {
        try policy.outward(try InnerPacket.parse(bytes.span), flows: flows, at: now)
    }

    private func inward(_ bytes: [UInt8], later seconds: UInt64 = 0) -> DropReason? {
        do throws(PacketRefusal) {
            let packet = try InnerPacket.parse(bytes.span)
            try policy.inward(packet, bytes: bytes.span, bound: bound, flows: flows, at: now + .seconds(seconds))
            return nil
        } catch {
            return error.reason
        }
    }

    @Test("lets answers in and nothing that was not asked for")
    func letsAnswersIn() throws {
        let answer = TestPacket.tcp("10.2.0.5", "10.1.0.1", ports: (80, 5000), flags: 0x12)
        #expect(inward(answer) == .inbound)
        #expect(try outward(TestPacket.tcp("10.1.0.1", "10.2.0.5", ports: (5000, 80), flags: 2)) == 3)
        #expect(inward(answer) == nil)
        #expect(inward(TestPacket.tcp("10.2.0.5", "10.1.0.1", ports: (80, 5001), flags: 0x12)) == .inbound)
    }

    @Test("lets no SYN in, not even within a known flow")
    func letsNoSYNIn() throws {
        _ = try outward(TestPacket.tcp("10.1.0.1", "10.2.0.5", ports: (5000, 80), flags: 2))
        for flags in [0x02, 0x0A, 0x22, 0x03] as [UInt8] {
            #expect(inward(TestPacket.tcp("10.2.0.5", "10.1.0.1", ports: (80, 5000), flags: flags)) == .inbound)
        }
    }

    @Test("lets a named service be reached, exactly")
    func letsServiceBeReached() {
        #expect(inward(TestPacket.tcp("10.2.0.5", "10.1.0.9", ports: (9999, 443), flags: 2)) == nil)
        #expect(inward(TestPacket.tcp("10.2.0.5", "10.1.0.9", ports: (9999, 444), flags: 2)) == .inbound)
        #expect(inward(TestPacket.tcp("10.2.0.5", "10.1.0.8", ports: (9999, 443), flags: 2)) == .inbound)
        #expect(inward(TestPacket.udp("10.2.0.5", "10.1.0.9", ports: (9999, 443))) == .inbound)
    }

    @Test("forgets datagrams after a while, connections only after hours")
    func forgets() throws {
        _ = try outward(TestPacket.udp("10.1.0.1", "10.2.0.5", ports: (1000, 53)))
        _ = try outward(TestPacket.tcp("10.1.0.1", "10.2.0.5", ports: (1000, 80), flags: 2))
        #expect(inward(TestPacket.udp("10.2.0.5", "10.1.0.1", ports: (53, 1000)), later: 60) == nil)
        #expect(inward(TestPacket.udp("10.2.0.5", "10.1.0.1", ports: (53, 1000)), later: 300) == .inbound)
        #expect(inward(TestPacket.tcp("10.2.0.5", "10.1.0.1", ports: (80, 1000)), later: 3600) == nil)
    }

    @Test("binds sources to the client's identity, and keeps clients apart")
    func bindsSources() {
        #expect(inward(TestPacket.tcp("10.3.0.5", "10.1.0.9", ports: (1, 443), flags: 2)) == .source)
        #expect(inward(TestPacket.tcp("10.1.0.5", "10.1.0.9", ports: (1, 443), flags: 2)) == .source)
        #expect(inward(TestPacket.tcp("10.2.0.5", "10.3.0.9", ports: (1, 443), flags: 2)) == .clientToClient)
        #expect(throws: PacketRefusal(.source)) { try outward(TestPacket.tcp("10.3.0.5", "10.2.0.9", flags: 2)) }
        #expect(throws: PacketRefusal(.noRoute)) { try outward(TestPacket.tcp("10.1.0.5", "10.9.0.9", flags: 2)) }
    }

    @Test("lets pings out and not in, and errors only about what was sent")
    func handlesICMP() throws {
        #expect(inward(TestPacket.icmp("10.2.0.5", "10.1.0.1", kind: 8)) == .inbound)
        #expect(inward(TestPacket.icmp("10.2.0.5", "10.1.0.1", kind: 0)) == .inbound)
        _ = try outward(TestPacket.icmp("10.1.0.1", "10.2.0.5", kind: 8))
        #expect(inward(TestPacket.icmp("10.2.0.5", "10.1.0.1", kind: 0)) == nil)
        #expect(inward(TestPacket.icmp("10.2.0.5", "10.1.0.1", kind: 8)) == .inbound)
        #expect(inward(TestPacket.icmp("10.2.0.5", "10.1.0.1", kind: 5)) == .inbound)
        let sent = TestPacket.udp("10.1.0.1", "10.2.0.5", ports: (1000, 53))
        let error = TestPacket.icmp("10.2.0.1", "10.1.0.1", kind: 3, body: sent)
        #expect(inward(error) == .inbound)
        _ = try outward(sent)
        #expect(inward(error) == nil)
        // Another client's flow is none of this client's business.
        let foreign = TestPacket.udp("10.1.0.1", "10.3.0.5", ports: (1000, 53))
        _ = try outward(foreign)
        #expect(inward(TestPacket.icmp("10.2.0.1", "10.1.0.1", kind: 3, body: foreign)) == .inbound)
    }

    @Test("lets errors about a service's answers in without a memory of them")
    func errorsAboutServices() {
        let answer = TestPacket.tcp("10.1.0.9", "10.2.0.5", ports: (443, 9999), flags: 0x10)
        // From a router on the way, as whoever was asked and for everything that an error can be.
        for kind in [3, 11, 12] as [UInt8] {
            #expect(inward(TestPacket.icmp("10.2.0.1", "10.1.0.9", kind: kind, body: answer)) == nil)
        }
        for kind in [0, 4, 5, 8, 13] as [UInt8] {
            #expect(inward(TestPacket.icmp("10.2.0.1", "10.1.0.9", kind: kind, body: answer)) == .inbound)
        }
        #expect(inward(TestPacket.icmp("10.3.0.1", "10.1.0.9", kind: 3, body: answer)) == .source)
        #expect(inward(TestPacket.icmp("10.2.0.1", "10.1.0.8", kind: 3, body: answer)) == .inbound)
        // What the service was sent, what others sent, and what it sent to others.
        for (source, destination, ports) in [
            ("10.2.0.5", "10.1.0.9", (9999, 443)), ("10.1.0.9", "10.2.0.5", (444, 9999)),
            ("10.1.0.8", "10.2.0.5", (443, 9999)), ("10.1.0.9", "10.3.0.5", (443, 9999)),
            ("10.1.0.9", "10.9.0.5", (443, 9999)),
        ] as [(String, String, (UInt16, UInt16))] {
            let quoted = TestPacket.tcp(source, destination, ports: ports)
            #expect(inward(TestPacket.icmp("10.2.0.1", "10.1.0.9", kind: 3, body: quoted)) == .inbound)
        }
        let datagram = TestPacket.udp("10.1.0.9", "10.2.0.5", ports: (443, 9999))
        #expect(inward(TestPacket.icmp("10.2.0.1", "10.1.0.9", kind: 3, body: datagram)) == .inbound)
    }

    @Test("lets an error about a service's answer in where all of it is right", arguments: 1...4 as ClosedRange<UInt64>)
    func errorsOnlyAboutServices(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var isRight = true
        func pick<Value>(_ right: Value, _ wrong: [Value]) -> Value {
            guard random.next() % 4 == 0 else { return right }
            isRight = false
            return wrong[Int(random.next() % UInt64(wrong.count))]
        }
        var letIn = 0
        for _ in 0..<2000 {
            isRight = true
            let service = pick("10.1.0.9", ["10.1.0.8", "10.9.0.9", "10.2.0.9", "10.3.0.9"])
            let target = pick("10.2.0.5", ["10.3.0.5", "10.1.0.5", "10.9.9.9"])
            let ports: (UInt16, UInt16) = (pick(443, [442, 444, 0]), UInt16(truncatingIfNeeded: random.next()))
            let isTCP = pick(true, [false])
            let answer =
                isTCP
                ? TestPacket.tcp(service, target, ports: ports) : TestPacket.udp(service, target, ports: ports)
            let error = TestPacket.icmp(
                pick("10.2.0.1", ["10.3.0.1", "10.1.0.1", "10.9.0.1"]),
                pick(service, ["10.1.0.7", "10.2.0.7"]),
                kind: pick(3, [0, 4, 5, 8, 13, 17]),
                body: Array(answer.prefix(pick(28, [0, 19, 20, 27])))
            )
            #expect((inward(error) == nil) == isRight, "\(error)")
            if isRight { letIn += 1 }
        }
        #expect(letIn > 50)
    }
}

@Suite("The client's policy")
struct ClientPolicyTests {
    private let paths = ReturnPaths(capacity: 64)
    private let policy = ClientPolicy(
        served: RouteTable([IPPrefix("10.2.0.0/16")].compactMap { $0.map { ($0, true) } }),
        remote: RouteTable([IPPrefix("10.1.0.0/16")].compactMap { $0.map { ($0, true) } }),
        links: [5, 6]
    )

    private func parsed(_ source: String, _ destination: String) throws -> InnerPacket {
        try InnerPacket.parse(TestPacket.tcp(source, destination).span)
    }

    @Test("takes only what goes to its networks and comes from the seed's")
    func takesOwn() throws {
        #expect(throws: PacketRefusal(.destination)) {
            try policy.inward(try parsed("10.1.0.1", "10.7.0.1"), link: 5, paths: paths)
        }
        #expect(throws: PacketRefusal(.source)) {
            try policy.inward(try parsed("10.7.0.1", "10.2.0.1"), link: 5, paths: paths)
        }
        #expect(throws: PacketRefusal(.source)) { try policy.outward(try parsed("10.7.0.1", "10.1.0.1"), paths: paths) }
    }

    @Test("answers by the link on which it was asked")
    func answersSameWay() throws {
        #expect(try policy.outward(try parsed("10.2.0.1", "10.1.0.1"), paths: paths) == 5)
        try policy.inward(try parsed("10.1.0.1", "10.2.0.1"), link: 6, paths: paths)
        #expect(try policy.outward(try parsed("10.2.0.1", "10.1.0.1"), paths: paths) == 6)
        try policy.inward(try parsed("10.1.0.1", "10.2.0.1"), link: 9, paths: paths)
        #expect(try policy.outward(try parsed("10.2.0.1", "10.1.0.1"), paths: paths) == 5)
    }
}
