import ClusterModel
import LinuxSystem
import NodePlan
import TendrilCore
import Testing

@Suite("Routes to pods of other nodes")
struct PodRoutesTests {
    private let pods = IPPrefix("100.96.0.0/11")

    private func node(_ name: String, _ part: String?, _ address: String?) throws -> Node {
        var object: JSONValue = ["metadata": ["name": .string(name)]]
        if let part { object = object.merging(["spec": ["podCIDR": .string(part)]]) }
        if let address {
            object = object.merging([
                "status": ["addresses": [["type": "InternalIP", "address": .string(address)]]]
            ])
        }
        return try object.decoded(as: Node.self)
    }

    private func wanted(_ nodes: [Node]) throws -> [String: String] {
        let routes = PodRoutes.wanted(nodes, own: "a", pods: try #require(pods))
        return Dictionary(uniqueKeysWithValues: routes.map { ("\($0.key)", "\($0.value)") })
    }

    @Test("lead to every other node that has a part and an address")
    func leads() throws {
        let nodes = [
            try node("a", "100.96.0.0/24", "10.0.0.1"), try node("b", "100.96.1.0/24", "10.0.0.2"),
            try node("c", "100.96.2.0/24", "10.0.0.3"), try node("d", nil, "10.0.0.4"),
            try node("e", "100.96.4.0/24", nil),
        ]
        #expect(try wanted(nodes) == ["100.96.1.0/24": "10.0.0.2", "100.96.2.0/24": "10.0.0.3"])
    }

    @Test("believe no node that says what it cannot have")
    func disbelieves() throws {
        let own = try node("a", "100.96.0.0/24", "10.0.0.1")
        let lies = [
            try node("b", "0.0.0.0/0", "10.0.0.2"), try node("c", "10.0.0.0/8", "10.0.0.3"),
            try node("d", "100.96.0.0/11", "10.0.0.4"), try node("e", "100.96.0.128/25", "10.0.0.5"),
            try node("f", "100.96.5.0/24", "100.96.0.7"), try node("g", "nonsense", "10.0.0.7"),
            try node("h", "100.96.6.0/24", "fd00::1"),
        ]
        #expect(try wanted([own] + lies) == [:])
        // What two nodes claim is nobody's.
        let both = [try node("x", "100.97.0.0/24", "10.0.0.8"), try node("y", "100.97.0.0/25", "10.0.0.9")]
        #expect(try wanted([own] + both) == [:])
    }

    @Test("leave a node the lowest address of its part")
    func ownAddress() throws {
        let range = try #require(pods)
        let nodes = [try node("a", "100.96.7.0/24", nil), try node("b", "10.0.0.0/24", nil), try node("c", nil, nil)]
        #expect(PodRoutes.ownAddress(nodes, own: "a", pods: range) == IPAddress("100.96.7.0"))
        for name in ["b", "c", "d"] { #expect(PodRoutes.ownAddress(nodes, own: name, pods: range) == nil) }
    }

    @Test("are read as the kernel lists them")
    func listed() {
        let text = """
            Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
            eth0\t00000000\tFE00FA0A\t0003\t0\t0\t0\t00000000\t0\t0\t0
            eth0\t00016064\t1F00FA0A\t0003\t0\t0\t0\t00FFFFFF\t0\t0\t0
            eth0\t0000FA0A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
            nonsense
            eth0\tzz\t1\t1
            """
        let routes = RouteList.parse(text)
        let gateways = routes.map { "\($0.interface) \($0.network) \($0.gateway?.description ?? "-")" }
        #expect(
            gateways == [
                "eth0 0.0.0.0/0 10.250.0.254", "eth0 100.96.1.0/24 10.250.0.31", "eth0 10.250.0.0/24 -",
            ]
        )
    }
}
