import ShootPlan
import TendrilCore
import Testing

@Suite("The mark of an object")
struct ObjectMarkTests {
    private func object(_ kind: String, _ metadata: JSONValue) -> JSONValue {
        ["kind": .string(kind), "metadata": metadata]
    }

    @Test("is its generation, whatever else is written")
    func generation() {
        let before = object("DaemonSet", ["generation": 2, "resourceVersion": "10"])
        let after = object("DaemonSet", ["generation": 2, "resourceVersion": "11"])
        let changed = object("DaemonSet", ["generation": 3, "resourceVersion": "12"])
        #expect(ObjectMark.text(of: before) != nil)
        #expect(ObjectMark.text(of: before) == ObjectMark.text(of: after))
        #expect(ObjectMark.text(of: before) != ObjectMark.text(of: changed))
    }

    @Test(
        "is its version where it has no generation and no controller writes it",
        arguments: ["ConfigMap", "ClusterRole"]
    )
    func version(_ kind: String) {
        let before = ObjectMark.text(of: object(kind, ["resourceVersion": "10"]))
        #expect(before != nil && before != ObjectMark.text(of: object(kind, ["resourceVersion": "11"])))
    }

    @Test("is none where controllers write it", arguments: ["Endpoints", "ServiceAccount", "Secret"])
    func none(_ kind: String) {
        #expect(ObjectMark.text(of: object(kind, ["resourceVersion": "10"])) == nil)
    }
}
