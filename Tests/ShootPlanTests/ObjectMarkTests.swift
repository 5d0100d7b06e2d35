import ShootPlan
import TendrilCore
import Testing

@Suite("The mark of an object")
struct ObjectMarkTests {
    private func mark(_ object: JSONValue) -> String? {
        ObjectMark.text(of: object) { String(decoding: $0, as: UTF8.self) }
    }

    private func object(_ kind: String, _ metadata: JSONValue) -> JSONValue {
        ["kind": .string(kind), "metadata": metadata]
    }

    @Test("is its generation, whatever else is written")
    func generation() {
        let before = object("DaemonSet", ["generation": 2, "resourceVersion": "10"])
        let after = object("DaemonSet", ["generation": 2, "resourceVersion": "11"])
        let changed = object("DaemonSet", ["generation": 3, "resourceVersion": "12"])
        #expect(mark(before) != nil)
        #expect(mark(before) == mark(after))
        #expect(mark(before) != mark(changed))
    }

    @Test(
        "is its version where it has no generation and no controller writes it",
        arguments: ["RoleBinding", "ClusterRole"]
    )
    func version(_ kind: String) {
        let before = mark(object(kind, ["resourceVersion": "10"]))
        #expect(before != nil && before != mark(object(kind, ["resourceVersion": "11"])))
    }

    @Test("is none where controllers write it", arguments: ["Endpoints", "ServiceAccount", "Secret"])
    func none(_ kind: String) {
        #expect(mark(object(kind, ["resourceVersion": "10"])) == nil)
    }

    /// `cluster-info` with the signatures of two tokens, changed.
    private func map(_ change: JSONValue) -> JSONValue {
        let data: JSONValue = ["kubeconfig": "a", "jws-kubeconfig-abcdef": "x", "jws-kubeconfig-ghijkl": "y"]
        return object("ConfigMap", ["resourceVersion": "10"]).merging(["data": data]).merging(change)
    }

    @Test(
        "of a ConfigMap is what it holds, whoever writes it anew or signs it for another token",
        arguments: [
            ["metadata": ["resourceVersion": "11"]], ["metadata": ["annotations": ["a": "b"]]],
            ["data": ["jws-kubeconfig-mnopqr": "z"]], ["data": ["jws-kubeconfig-abcdef": "z"]],
        ] as [JSONValue]
    )
    func signatures(_ change: JSONValue) {
        #expect(mark(map([:])) != nil && mark(map([:])) == mark(map(change)))
        let bare = object("ConfigMap", [:]).merging(["data": ["kubeconfig": "a"]])
        #expect(mark(map([:])) == mark(bare))
    }

    @Test(
        "of a ConfigMap is another one once anything in it is",
        arguments: [
            ["data": ["kubeconfig": "b"]], ["data": ["more": "b"]], ["binaryData": ["more": "AA=="]],
            ["immutable": true],
        ] as [JSONValue]
    )
    func contents(_ change: JSONValue) { #expect(mark(map([:])) != mark(map(change))) }
}
