import ClusterModel
import TendrilCore
import Testing

@Suite("What Nodes have")
struct NodeNetworksTests {
    private let cluster = ["10.250.0.0/16", "100.96.0.0/11", "fd02::/48"].compactMap { IPPrefix($0) }

    private func claims(_ spec: JSONValue, _ addresses: [(String, String)]) throws -> [String] {
        let object: JSONValue = [
            "metadata": ["name": "a"], "spec": spec,
            "status": ["addresses": .array(addresses.map { ["type": .string($0.0), "address": .string($0.1)] })],
        ]
        let node = try object.decoded(as: Node.self)
        return NodeNetworks.claimed(by: node, within: cluster).map(\.description)
    }

    @Test("are their addresses and their parts of the pods' range")
    func claims() throws {
        let both: JSONValue = ["podCIDR": "100.96.1.0/24", "podCIDRs": ["100.96.1.0/24", "fd02::/64"]]
        let addresses = [("InternalIP", "10.250.0.7"), ("Hostname", "10.250.0.9"), ("ExternalIP", "198.51.100.1")]
        #expect(try claims(both, addresses) == ["100.96.1.0/24", "fd02::/64", "10.250.0.7/32"])
        #expect(try claims(["podCIDR": "100.96.2.0/24"], []) == ["100.96.2.0/24"])
    }

    @Test("are nothing outside of the cluster, and never a whole network of it")
    func disbelieves() throws {
        let lies: JSONValue = ["podCIDRs": ["0.0.0.0/0", "100.96.0.0/11", "10.0.0.0/8", "nonsense", "10.0.0.0/24"]]
        #expect(try claims(lies, [("InternalIP", "127.0.0.1"), ("InternalIP", "x")]) == [])
        let many = (0..<100).map { ("InternalIP", "10.250.1.\($0)") }
        #expect(try claims([:], many).count == 16)
    }

    private func undisputed(_ claims: [String: [String]]) -> [String: [String]] {
        NodeNetworks.undisputed(claims.mapValues { $0.compactMap { IPPrefix($0) } })
            .mapValues { $0.map(\.description) }
    }

    @Test("are nobody's where two claim them, in whole or in part")
    func disputes() {
        let claims = [
            "a": ["10.0.0.1/32", "10.1.0.0/24", "fd02::/64"], "b": ["10.0.0.1/32", "10.1.1.0/24"],
            "c": ["10.1.1.128/25", "10.2.0.0/24", "10.2.0.0/24", "10.2.0.7/32"], "d": ["10.2.1.0/24"],
        ]
        #expect(
            undisputed(claims) == [
                "a": ["10.1.0.0/24", "fd02::/64"], "b": [], "c": ["10.2.0.0/24", "10.2.0.0/24", "10.2.0.7/32"],
                "d": ["10.2.1.0/24"],
            ]
        )
    }

    @Test("are as a comparison of each with each finds them")
    func agreesWithModel() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<300 {
            var claims: [Int: [IPPrefix]] = [:]
            for owner in 0..<6 {
                claims[owner] = (0..<Int.random(in: 0...4, using: &random)).compactMap { _ in
                    IPPrefix(
                        containing: IPAddress(v4: 0x0A00_0000 | UInt32.random(in: 0..<64, using: &random)),
                        length: Int.random(in: 26...32, using: &random)
                    )
                }
            }
            let expected = claims.reduce(into: [:]) { result, entry in
                result[entry.key] = entry.value.filter { own in
                    !claims.contains { $0.key != entry.key && $0.value.contains { $0.overlaps(own) } }
                }
            }
            #expect(NodeNetworks.undisputed(claims) == expected, "\(claims)")
        }
    }
}
