import ClusterModel
import ShootPlan
import ShootSamples
import TendrilCore
import Testing

@Suite("Add-ons")
struct AddonTests {
    private func pods(_ digest: String = "", _ change: (inout Shoot) -> Void = { _ in }) throws -> [String: JSONValue] {
        let facts = try #require(
            try Samples.facts {
                $0.spec.addons.dashboard = true
                change(&$0)
            }
        )
        let addons = try Addons.all(facts, kubeProxy: [:], kubeconfig: "", digest: digest)
        let workloads = addons.flatMap(\.objects).filter { $0["spec"]?["template"] != nil }
        return Dictionary(uniqueKeysWithValues: workloads.map { ($0["metadata"]?["name"]?.text ?? "", $0) })
    }

    private static let deployments = ["coredns", "kubernetes-dashboard", "metrics-server"]

    @Test("are started anew with another CA, which client libraries read but once")
    func followsAuthorities() throws {
        let (before, after) = (try pods("a"), try pods("b"))
        #expect(before.count == 5)
        for (name, workload) in before {
            #expect(workload["spec"]?["template"] != after[name]?["spec"]?["template"], "\(name)")
        }
    }

    @Test("have no capability but for the one without which CoreDNS's program cannot be started")
    func capabilities() throws {
        for (name, workload) in try pods() where Self.deployments.contains(name) {
            let security = workload["spec"]?["template"]?["spec"]?["containers"]?.items.first?["securityContext"]
            #expect(security?["capabilities"]?["drop"] == ["ALL"] && security?["allowPrivilegeEscalation"] == false)
            #expect(security?["capabilities"]?["add"] == (name == "coredns" ? ["NET_BIND_SERVICE"] : nil))
        }
    }

    @Test("answer names from two nodes where there are two, and from one before they end on another")
    func dns() throws {
        func spec(_ maximum: [Int]) throws -> JSONValue? {
            try pods {
                let pool = $0.spec.workers[0]
                $0.spec.workers = maximum.enumerated().map { index, maximum in
                    var copy = pool
                    (copy.name, copy.maximum) = ("pool-\(index)", maximum)
                    return copy
                }
            }["coredns"]?["spec"]
        }
        #expect(try spec([1])?["replicas"] == 1)
        for maximum in [[2], [1, 1], [1000, 1000]] {
            let spec = try spec(maximum)
            #expect(spec?["replicas"] == 2)
            #expect(spec?["template"]?["spec"]?["topologySpreadConstraints"]?.items.count == 1)
        }
        #expect(try spec([2])?["strategy"]?["rollingUpdate"] == ["maxUnavailable": 0, "maxSurge": 1])
    }

    @Test("go to tainted pools only where there is no other one")
    func tolerations() throws {
        func keys(_ taints: [[Node.Taint]]) throws -> [String] {
            let pods = try pods {
                let pool = $0.spec.workers[0]
                $0.spec.workers = taints.map { taints in
                    var copy = pool
                    copy.taints = taints
                    return copy
                }
            }
            let spec = pods["coredns"]?["spec"]?["template"]?["spec"]
            return (spec?["tolerations"]?.items ?? []).compactMap { $0["key"]?.text }
        }
        let (gpu, soft) = (
            Node.Taint(key: "gpu", value: "a", effect: "NoSchedule"),
            Node.Taint(key: "soft", value: "a", effect: "PreferNoSchedule")
        )
        #expect(try keys([[gpu]]) == ["CriticalAddonsOnly", "gpu"])
        #expect(try keys([[gpu], []]) == ["CriticalAddonsOnly"])
        #expect(try keys([[gpu], [soft]]) == ["CriticalAddonsOnly"])
    }
}
