import ClusterModel
import ShootPlan
import TendrilCore
import Testing

@Suite("How far pods are")
struct RolloutStateTests {
    private static let deployments: [(JSONValue, String?)] = [
        (["metadata": ["generation": 2], "spec": ["replicas": 2]], "its controller has not seen it"),
        (
            status(["observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2]),
            "its controller has not seen it"
        ),
        (status(["observedGeneration": 2, "replicas": 2, "updatedReplicas": 2]), "0 of 2 pods are ready"),
        (
            status(["observedGeneration": 2, "replicas": 2, "updatedReplicas": 1, "readyReplicas": 2]),
            "2 of 2 pods are ready"
        ),
        (
            status(["observedGeneration": 2, "replicas": 3, "updatedReplicas": 2, "readyReplicas": 3]),
            "an old pod is still there"
        ),
        (status(["observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2]), nil),
    ]

    private static func status(_ status: JSONValue) -> JSONValue {
        ["metadata": ["generation": 2], "spec": ["replicas": 2], "status": status]
    }

    @Test("A Deployment says the same as an object and as a document", arguments: deployments)
    func deployment(_ object: JSONValue, _ problem: String?) throws {
        #expect(RolloutState(object).problem == problem)
        let typed = try object.decoded(as: Deployment.self)
        #expect(RolloutState(typed.metadata, replicas: typed.spec?.replicas, typed.status).problem == problem)
    }

    @Test("A DaemonSet is judged by its nodes")
    func daemonSet() {
        func problem(_ status: JSONValue) -> String? {
            RolloutState(["kind": "DaemonSet", "metadata": ["generation": 1], "status": status]).problem
        }
        let counts: JSONValue = ["observedGeneration": 1, "desiredNumberScheduled": 2, "updatedNumberScheduled": 2]
        #expect(problem(counts.merging(["numberReady": 2])) == nil)
        #expect(problem(counts.merging(["numberReady": 1])) == "1 of 2 pods are ready")
        #expect(problem(["observedGeneration": 1, "desiredNumberScheduled": 0]) == nil)
    }
}
