import ClusterModel
import ShootPlan
import ShootSamples
import TendrilCore
import Testing

@Suite("What a shoot that goes has in a cloud")
struct CleanUpTests {
    private func objects<Object: KubernetesObject>(_ type: Object.Type, _ documents: [JSONValue]) throws -> [Object] {
        try documents.map { try $0.decoded(as: Object.self) }
    }

    private func service(_ name: String, _ type: String) -> JSONValue {
        ["metadata": ["name": .string(name), "namespace": "shop"], "spec": ["type": .string(type)]]
    }

    private func volume(_ name: String, _ policy: String, _ source: JSONValue, isClaimed: Bool = true) -> JSONValue {
        let claim: JSONValue = isClaimed ? ["claimRef": ["namespace": "shop", "name": .string("of-\(name)")]] : [:]
        let spec: JSONValue = ["persistentVolumeReclaimPolicy": .string(policy)]
        return ["metadata": ["name": .string(name)], "spec": spec.merging(claim).merging(source)]
    }

    private func claim(_ name: String, of volume: String?) -> JSONValue {
        let spec: JSONValue = volume.map { ["volumeName": .string($0)] } ?? [:]
        return ["metadata": ["name": .string(name), "namespace": "shop"], "spec": spec]
    }

    private static let driven: JSONValue = ["csi": ["driver": "ebs.csi.aws.com", "volumeHandle": "vol-1"]]

    private func found(_ services: [JSONValue], _ volumes: [JSONValue], _ claims: [JSONValue]) throws -> CloudObjects {
        CloudObjects(
            try objects(KubernetesService.self, services),
            try objects(PersistentVolume.self, volumes),
            try objects(PersistentVolumeClaim.self, claims)
        )
    }

    @Test("is load balancers and volumes that go with their claims, and nothing else")
    func chosen() throws {
        let all = try found(
            [service("web", "LoadBalancer"), service("inner", "ClusterIP"), service("port", "NodePort")],
            [
                volume("a", "Delete", Self.driven), volume("kept", "Retain", Self.driven),
                volume("here", "Delete", ["hostPath": ["path": "/data"]]),
                volume("nobody's", "Delete", Self.driven, isClaimed: false),
                volume("old", "Delete", ["awsElasticBlockStore": ["volumeID": "vol-2"]]),
            ],
            [
                claim("of-a", of: "a"), claim("of-kept", of: "kept"), claim("of-here", of: "here"),
                claim("of-old", of: "old"), claim("waits", of: nil),
            ]
        )
        #expect(all.services.map(\.name) == ["web"])
        #expect(all.claims.map(\.name) == ["of-a", "of-old", "waits"])
        #expect(all.namespaces == ["shop"] && !all.isEmpty)
        let text =
            "Service shop/web, PersistentVolume a (vol-1), PersistentVolume old (vol-2), "
            + "PersistentVolumeClaim shop/waits"
        #expect(all.text == text)
        let nothing = try found([service("inner", "ClusterIP")], [volume("kept", "Retain", Self.driven)], [])
        #expect(nothing.isEmpty)
        // The claim is gone, and its volume is not yet.
        #expect(try !found([], [volume("a", "Delete", Self.driven)], []).isEmpty)
    }

    @Test("is told by few names where there is much")
    func bounded() throws {
        let many = try found((1...14).map { service("s\($0)", "LoadBalancer") }, [], [])
        #expect(many.text.hasSuffix("Service shop/s10 and 4 more"))
    }

    @Test("is held by the pods that use it, also by claims that come and go with a pod")
    func users() throws {
        func pod(_ name: String, _ volume: JSONValue) -> JSONValue {
            ["metadata": ["name": .string(name), "namespace": "shop"], "spec": ["volumes": [volume]]]
        }
        let pods = try objects(
            Pod.self,
            [
                pod("a", ["name": "data", "persistentVolumeClaim": ["claimName": "of-a"]]),
                pod("b", ["name": "data", "persistentVolumeClaim": ["claimName": "of-kept"]]),
                pod("c", ["name": "data", "ephemeral": ["volumeClaimTemplate": ["spec": [:]]]]),
                pod("d", ["name": "data", "emptyDir": [:]]),
            ]
        )
        let claims = [claim("of-a", of: nil), claim("c-data", of: nil)]
        let all = try found([], [], claims)
        #expect(all.users(among: pods, in: "shop").map(\.name) == ["a", "c"])
        #expect(all.users(among: pods, in: "other").isEmpty)
        #expect(pods.map { $0.lean().spec?.volumes?.count } == [1, 1, 1, 0])
    }

    @Test("is waited for as long as somebody can take it away, and not for ever")
    func patience() {
        let working = CleanUp.Sight.seen(isEmpty: false, hasNodes: true)
        let alone = CleanUp.Sight.seen(isEmpty: false, hasNodes: false)
        let unseen = CleanUp.Sight.unseen("nobody listens")
        var cleanUp = CleanUp(begun: 1000, minutes: 5)
        #expect(cleanUp.next(working, at: 1000) == .wait)
        #expect(cleanUp.next(alone, at: 1010) == .wait)
        // Somebody came back: the time without anybody counts anew.
        #expect(cleanUp.next(working, at: 1060) == .wait)
        #expect(cleanUp.next(alone, at: 1075) == .wait)
        #expect(cleanUp.next(unseen, at: 1134) == .wait)
        #expect(cleanUp.next(unseen, at: 1135) == .giveUp("its API server does not answer: nobody listens"))
        #expect(cleanUp.next(working, at: 1299) == .wait)
        #expect(cleanUp.next(working, at: 1300) == .giveUp("it did not go within 5 min"))
        #expect(cleanUp.next(.seen(isEmpty: true, hasNodes: false), at: 1300) == .done)
    }

    @Test("is waited for while nobody can take it away for a fifth of the time that the owner gives")
    func absence() {
        let alone = CleanUp.Sight.seen(isEmpty: false, hasNodes: false)
        var cleanUp = CleanUp(begun: 1000, minutes: 1440)
        #expect(cleanUp.next(alone, at: 1000) == .wait)
        #expect(cleanUp.next(.unseen("no"), at: 1000 + 17_279) == .wait)
        #expect(cleanUp.next(alone, at: 1000 + 17_280) != .wait)
        // A short time is not made shorter.
        var short = CleanUp(begun: 1000, minutes: 2)
        #expect(short.next(alone, at: 1000) == .wait && short.next(alone, at: 1059) == .wait)
        #expect(short.next(alone, at: 1060) != .wait)
    }

    @Test("is waited for to the end where its API server answers, and refuses to say what there is")
    func untold() {
        let untold = CleanUp.Sight.untold("too many requests")
        var cleanUp = CleanUp(begun: 1000, minutes: 5)
        #expect(cleanUp.next(.unseen("no"), at: 1000) == .wait)
        // Who answers is there: the time without anybody counts anew.
        #expect(cleanUp.next(untold, at: 1059) == .wait)
        #expect(cleanUp.next(.unseen("no"), at: 1061) == .wait)
        #expect(cleanUp.next(untold, at: 1299) == .wait)
        let reason = "its API server does not say what is left: too many requests"
        #expect(cleanUp.next(untold, at: 1300) == .giveUp(reason))
        #expect(cleanUp.left(at: 1290) == 10 && cleanUp.left(at: 1301) == 0 && cleanUp.left(at: 0) == 300)
    }

    @Test("goes on where another coordinator has begun, also by a clock that goes back")
    func resumed() {
        var late = CleanUp(begun: 1000, minutes: 5)
        #expect(late.next(.unseen("no"), at: 1301) == .giveUp("its API server does not answer: no"))
        var early = CleanUp(begun: 1000, minutes: 5)
        #expect(early.next(.unseen("no"), at: 10) == .wait)
        // It is set right, and ends all the same.
        let working = CleanUp.Sight.seen(isEmpty: false, hasNodes: true)
        var wrong = CleanUp(begun: 1_000_000_000, minutes: 5)
        #expect(wrong.next(working, at: 1000) == .wait && wrong.left(at: 1000) == 300)
        #expect(wrong.next(working, at: 1299) == .wait && wrong.next(working, at: 1300) != .wait)
        var alone = CleanUp(begun: 1000, minutes: 1440)
        #expect(alone.next(.unseen("no"), at: 50_000) == .wait && alone.next(.unseen("no"), at: 2000) == .wait)
        #expect(alone.next(.unseen("no"), at: 2000 + 17_280) != .wait)
        var longer = CleanUp(begun: 1000, minutes: 10)
        #expect(longer.next(.seen(isEmpty: false, hasNodes: true), at: 1301) == .wait)
    }

    @Test(
        "is waited for five minutes, unless the owner says otherwise; a day at most",
        arguments: [
            (nil, 5), ("0", 0), ("30", 30), (" 30 ", 30), ("1440", 1440), ("1441", 1440), ("2880", 1440),
            ("99999999999999999999", 1440),
        ] as [(String?, UInt64)]
    )
    func minutes(_ said: String?, _ minutes: UInt64) throws {
        let shoot = try Samples.shoot { shoot in
            shoot.metadata.annotations = said.map { [ShootAnnotation.cleanUpMinutes: $0] }
        }
        #expect(CleanUp.minutes(of: shoot) == minutes && CleanUp.complaint(about: shoot) == nil)
    }

    @Test(
        "is waited for a day where nobody can tell how long, and that is said",
        arguments: ["-1", "2h", "", " ", "1 2", "٣"]
    )
    func unclear(_ said: String) throws {
        let shoot = try Samples.shoot { $0.metadata.annotations = [ShootAnnotation.cleanUpMinutes: said] }
        #expect(CleanUp.minutes(of: shoot) == 1440)
        #expect(CleanUp.complaint(about: shoot)?.contains("\"\(said)\" is no number from 0 to 1440") == true)
    }
}
