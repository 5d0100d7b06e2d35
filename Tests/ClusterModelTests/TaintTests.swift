import ClusterModel
import Testing

@Suite("Taints of a Node")
struct TaintTests {
    private let ours = Node.Taint(key: "pool", value: "gpu", effect: "NoSchedule")
    private let other = Node.Taint(key: "added.by/others", effect: "NoExecute")

    @Test("are added and changed as the configuration changes, and others stay")
    func added() {
        let newer = Node.Taint(key: "pool", value: "cpu", effect: "NoSchedule")
        #expect(Node.Taint.merged(present: [other], known: [], wanted: [ours]) == [other, ours])
        #expect(Node.Taint.merged(present: [other, ours], known: [ours.mark], wanted: [newer]) == [other, newer])
    }

    @Test("go with the configuration that set them, and nobody else's do")
    func removed() {
        #expect(Node.Taint.merged(present: [ours, other], known: [ours.mark], wanted: []) == [other])
        #expect(Node.Taint.merged(present: [ours, other], known: [], wanted: []) == [ours, other])
    }

    @Test("are there once, by key and effect")
    func distinct() {
        let newer = Node.Taint(key: "pool", value: "cpu", effect: "NoSchedule")
        #expect(Node.Taint.distinct([ours, other, newer, ours]) == [ours, other])
        #expect(Node.Taint.distinct([]) == [])
    }

    @Test("do not come back once somebody has removed them")
    func initialised() {
        #expect(Node.Taint.merged(present: [], known: [ours.mark], wanted: [ours]) == [])
        // The kubelet has just registered the Node, and somebody was quick.
        #expect(Node.Taint.merged(present: [], known: nil, wanted: [ours]) == [])
    }
}
