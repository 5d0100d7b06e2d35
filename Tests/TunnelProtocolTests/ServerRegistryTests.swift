import TendrilCore
import TestSupport
import Testing
import TunnelProtocol

@Suite("The server's registry")
struct ServerRegistryTests {
    private func hello(
        _ session: UInt128,
        _ addresses: [String],
        _ networks: [String],
        features: Hello.Features = [.packets]
    ) -> Hello {
        Hello(
            session: session,
            lane: 0,
            lanes: 1,
            mtu: 1500,
            features: features,
            addresses: addresses.map { TestPacket.address($0) },
            networks: networks.compactMap { IPPrefix($0) },
            software: ""
        )
    }

    private func registry(_ bindings: [String: ClientBinding] = [:]) -> ServerRegistry {
        ServerRegistry(
            tunnels: [IPPrefix("10.98.0.0/24")].compactMap { $0 },
            own: [TestPacket.address("10.98.0.1")],
            pool: [IPPrefix("10.2.0.0/16")].compactMap { $0 },
            bindings: bindings
        )
    }

    private func reason(_ admission: ServerRegistry.Admission) -> CloseNotice.Reason? {
        if case .refused(let notice) = admission { notice.reason } else { nil }
    }

    @Test("routes to the link that serves an address, and no more once it is gone")
    func routes() {
        var registry = registry()
        guard
            case .accepted(let link, _, nil) = registry.admit(
                "a",
                hello(1, ["10.98.0.2"], ["10.2.1.0/24"]),
                generation: 1
            )
        else {
            Issue.record("refused")
            return
        }
        #expect(registry.policy(services: []).routes.lookup(TestPacket.address("10.2.1.9")) == link)
        #expect(registry.policy(services: []).routes.lookup(TestPacket.address("10.98.0.2")) == link)
        let isOver = registry.ended(link, generation: 1, at: MonotonicTime(nanoseconds: 0))
        #expect(isOver && registry.policy(services: []).routes.isEmpty)
    }

    @Test("knows which lanes one run of a client has, and no others")
    func knowsLanes() {
        var registry = registry()
        let hello = hello(1, [], [])
        #expect(!registry.hasLane(hello, of: "a"))
        guard case .accepted(let link, _, nil) = registry.admit("a", hello, generation: 1) else {
            Issue.record("refused")
            return
        }
        var (second, another) = (hello, hello)
        second.lane = 1
        another.session = 2
        #expect(registry.hasLane(hello, of: "a") && !registry.hasLane(hello, of: "b"))
        #expect(!registry.hasLane(second, of: "a") && !registry.hasLane(another, of: "a"))
        // A lane is there for as long as one of its connections is.
        _ = registry.admit("a", hello, generation: 2)
        let now = MonotonicTime(nanoseconds: 0)
        let (isOver, isStill) = (registry.ended(link, generation: 1, at: now), registry.hasLane(hello, of: "a"))
        #expect(!isOver && isStill)
        let isOverNow = registry.ended(link, generation: 2, at: now)
        #expect(isOverNow && !registry.hasLane(hello, of: "a"))
    }

    @Test("refuses networks and addresses that are not bound")
    func refusesUnbound() {
        var registry = registry()
        #expect(reason(registry.admit("a", hello(1, [], ["10.3.0.0/24"]), generation: 1)) == .notAuthorised)
        #expect(reason(registry.admit("a", hello(1, [], ["0.0.0.0/0"]), generation: 1)) == .notAuthorised)
        #expect(reason(registry.admit("a", hello(1, ["10.98.0.1"], []), generation: 1)) == .notAuthorised)
    }

    @Test("passes over addresses that a client has for other servers")
    func passesOverForeignAddresses() {
        var registry = registry()
        guard
            case .accepted(_, let bound, nil) = registry.admit(
                "a",
                hello(1, ["10.98.0.2", "10.97.0.2"], []),
                generation: 1
            )
        else {
            Issue.record("refused")
            return
        }
        let routes = registry.policy(services: []).routes
        #expect(routes.contains(TestPacket.address("10.98.0.2")) && !routes.contains(TestPacket.address("10.97.0.2")))
        #expect(!bound.contains(TestPacket.address("10.97.0.2")))
    }

    @Test("knows only the clients of its list, where it has one, and what each of them may be")
    func knowsItsClients() {
        let address = TestPacket.address("10.98.0.5")
        let networks = [IPPrefix("10.2.5.0/24")].compactMap { $0 }
        var registry = registry([
            "a": ClientBinding(addresses: [address], networks: networks),
            "b": ClientBinding(addresses: [], networks: []),
        ])
        #expect(reason(registry.admit("c", hello(1, [], []), generation: 1)) == .notAuthorised)
        #expect(reason(registry.admit("b", hello(1, ["10.98.0.5"], []), generation: 1)) == .notAuthorised)
        #expect(reason(registry.admit("b", hello(1, [], ["10.2.5.0/24"]), generation: 1)) == .notAuthorised)
        #expect(reason(registry.admit("a", hello(1, ["10.98.0.5"], ["10.2.5.0/24"]), generation: 1)) == nil)
    }

    private func networks(_ texts: String...) -> [IPPrefix] { texts.compactMap { IPPrefix($0) } }

    /// A registry by which Nodes are followed, and of which a part is everybody's.
    private func followingNodes() -> ServerRegistry {
        ServerRegistry(
            tunnels: networks("10.98.0.0/24"),
            own: [TestPacket.address("10.98.0.1")],
            pool: networks("10.2.0.0/16", "10.3.0.0/16"),
            bindings: [:],
            followingNodesBut: networks("10.3.0.0/16")
        )
    }

    @Test("believes a client what its Node has, and what all share, as soon as Nodes are known")
    func followsNodes() throws {
        var registry = followingNodes()
        var links: [String: Int] = [:]
        for (index, name) in ["a", "b"].enumerated() {
            let hello = hello(UInt128(index), ["10.98.0.\(2 + index)", "10.2.2.9"], ["10.2.0.0/16", "10.3.0.0/16"])
            guard case .accepted(let link, let bound, nil) = registry.admit(name, hello, generation: UInt64(index))
            else {
                Issue.record("refused")
                return
            }
            // Nothing is known yet: nobody has anything but what all share, and its address in the tunnel.
            #expect(
                bound.contains(TestPacket.address("10.3.0.1"))
                    && bound.contains(TestPacket.address("10.98.0.\(2 + index)"))
            )
            #expect(!bound.contains(TestPacket.address("10.2.1.1")) && !bound.contains(TestPacket.address("10.2.2.9")))
            links[name] = link
        }
        let link = try #require(links["a"])
        let bounds = registry.follow([
            "a": networks("10.2.1.0/24"), "b": networks("10.2.2.0/24"), "c": networks("10.2.3.0/24"),
        ])
        let bound = try #require(bounds[link])
        #expect(bound.contains(TestPacket.address("10.2.1.9")) && !bound.contains(TestPacket.address("10.2.2.9")))
        let routes = registry.policy(services: []).routes
        #expect(routes.lookup(TestPacket.address("10.2.1.9")) == link)
        #expect(routes.lookup(TestPacket.address("10.2.2.9")) == links["b"])
        #expect(
            routes.lookup(TestPacket.address("10.2.3.9")) == nil
                && routes.lookup(TestPacket.address("10.3.0.9")) == link
        )
        #expect(registry.owner(of: TestPacket.address("10.2.3.9")) == "c" && registry.expectedCount == 3)
        // A Node that is gone has nothing any more.
        let after = registry.follow(["b": networks("10.2.2.0/24")])
        #expect(after[link]?.contains(TestPacket.address("10.2.1.9")) == false)
        #expect(registry.policy(services: []).routes.lookup(TestPacket.address("10.2.1.9")) == nil)
    }

    @Test("lets no client claim single addresses of what Nodes have or share: they are others' soon, or everybody's")
    func judgesClaims() throws {
        var registry = followingNodes()
        _ = registry.follow(["a": networks("10.2.1.0/24"), "b": networks("10.2.2.0/24")])
        var links: [String: Int] = [:]
        for (name, addresses) in [("b", ["10.98.0.3"]), ("a", ["10.98.0.2", "10.2.1.7", "10.3.0.7"])] {
            let hello = hello(UInt128(links.count), addresses, ["10.2.0.0/16", "10.3.0.0/16"])
            if case .accepted(let link, _, _) = registry.admit(name, hello, generation: 1) { links[name] = link }
        }
        let (a, b) = (try #require(links["a"]), try #require(links["b"]))
        func route(_ address: String) -> Int? {
            registry.policy(services: []).routes.lookup(TestPacket.address(address))
        }
        #expect(route("10.2.1.7") == a && route("10.98.0.2") == a && route("10.3.0.7") == b && route("10.3.0.8") == b)
        // Its Node is gone, and another one has its range.
        let bounds = registry.follow(["b": networks("10.2.2.0/24", "10.2.1.0/24")])
        #expect(route("10.2.1.7") == b && bounds[a]?.contains(TestPacket.address("10.2.1.7")) == false)
        #expect(route("10.98.0.2") == a && bounds[a]?.contains(TestPacket.address("10.98.0.2")) == true)
    }

    @Test("lets a new run of a client replace the old one")
    func replaces() {
        var registry = registry()
        guard case .accepted(let old, _, nil) = registry.admit("a", hello(1, ["10.98.0.2"], []), generation: 1),
            case .accepted(let new, _, let replaced) = registry.admit("a", hello(2, ["10.98.0.2"], []), generation: 2)
        else {
            Issue.record("refused")
            return
        }
        #expect(replaced == old && new != old)
        #expect(registry.policy(services: []).routes.lookup(TestPacket.address("10.98.0.2")) == new)
        let isOver = registry.ended(old, generation: 1, at: MonotonicTime(nanoseconds: 0))
        #expect(!isOver)
    }

    @Test("knows for a moment where a link that went has led")
    func remembersPaths() {
        var registry = registry()
        let hello = hello(1, [], ["10.2.1.0/24"], features: [.streams])
        guard case .accepted(let link, _, nil) = registry.admit("a", hello, generation: 1) else {
            Issue.record("refused")
            return
        }
        #expect(registry.streamPaths.map { $0.link } == [link] && registry.missingPaths.isEmpty)
        let start = MonotonicTime(nanoseconds: 0)
        let isOver = registry.ended(link, generation: 1, at: start)
        #expect(isOver && registry.streamPaths.isEmpty && registry.missingPaths.map { $0.link } == [link])
        registry.expire(at: start + ServerRegistry.lingerTime)
        #expect(registry.missingPaths.isEmpty)
    }

    @Test("bounds the connections of one client")
    func boundsConnections() {
        var registry = registry()
        for generation in 1...32 as ClosedRange<UInt64> {
            #expect(reason(registry.admit("a", hello(1, [], []), generation: generation)) == nil)
        }
        #expect(reason(registry.admit("a", hello(1, [], []), generation: 33)) == .overloaded)
    }
}
