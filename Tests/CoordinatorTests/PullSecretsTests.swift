import ClusterModel
import Coordinator
import ShootPlan
import ShootSamples
import TendrilCore
import Testing

@Suite("By what images are pulled")
struct PullSecretsTests {
    private static let namespace = "shoot--demo--one"
    private static let key = ".dockerconfigjson"

    private static let names = [
        TaskName.namespace, TaskName.pullSecrets, TaskName.authorities, TaskName.certificates,
    ]

    /// Makes the namespace of a shoot whose Seed names these Secrets, and its certificates.
    private func run(_ api: MemoryAPI, _ names: [String]?) async throws -> FlowOutcome {
        var seed = try Samples.seed
        seed.imagePullSecrets = names
        let work = try Works.work(api, try Works.configuration(), hostedBy: seed)
        let tasks = ShootFlows.reconcile(work, LocalProvider(), Rotation()).filter { Self.names.contains($0.name) }
        let runner = FlowRunner(
            tasks: Works.beginnings.filter { $0.name == TaskName.services } + tasks,
            observer: StatusWriter(garden: work.garden, shoot: work.shoot, type: .create, logger: Works.silent),
            save: { _ in },
            logger: Works.silent,
            slots: Slots(2),
            isThorough: true
        )
        return await runner.run(from: FlowRecords())
    }

    private func errors(_ api: MemoryAPI, _ names: [String]?) async throws -> [ShootStatus.TaskError] {
        try await run(api, names).errors
    }

    private func put(
        _ api: MemoryAPI,
        _ name: String,
        type: String = ImagePull.type,
        data: [String: [UInt8]]
    ) throws {
        try api.put(KubernetesSecret(ObjectMetadata(name: name, namespace: "tendril-system"), type: type, data: data))
    }

    private func copies(_ api: MemoryAPI) throws -> [String: [UInt8]] {
        let start = "/api/v1/namespaces/\(Self.namespace)/secrets/pull-"
        return try api.paths(start).reduce(into: [:]) { all, path in
            let name = "pull-\(path.dropFirst(start.count))"
            all[name] = try api.find(KubernetesSecret.self, name, namespace: Self.namespace)?[Self.key]
        }
    }

    @Test("is copied into a shoot's namespace, follows its original, and goes once the Seed names it no more")
    func follows() async throws {
        let api = MemoryAPI()
        try put(api, "one", data: [Self.key: [1], "more": [9]])
        try put(api, "two", data: [Self.key: [2]])
        #expect(try await errors(api, ["one", "two"]).isEmpty)
        #expect(try copies(api) == ["pull-one": [1], "pull-two": [2]])
        let made = try api.find(KubernetesSecret.self, "pull-one", namespace: Self.namespace)
        #expect(made?.type == ImagePull.type && made?.data?.count == 1)
        try put(api, "one", data: [Self.key: [3]])
        #expect(try await errors(api, ["one"]).isEmpty)
        #expect(try copies(api) == ["pull-one": [3]])
        #expect(try await errors(api, nil).isEmpty)
        #expect(try copies(api).isEmpty)
    }

    @Test("is no other Secret of the coordinator's namespace, and is missed where it is not there")
    func refuses() async throws {
        let api = MemoryAPI()
        try put(api, "garden", type: "Opaque", data: [Self.key: [1]])
        try put(api, "empty", data: ["other": [1]])
        for name in ["garden", "empty", "nowhere"] {
            let found = try await errors(api, [name])
            #expect(found.map(\.code) == [.configuration])
            #expect(found.first?.description.contains("spec.imagePullSecrets") == true, "\(found)")
            #expect(found.first?.description.contains("tendril-system/\(name)") == true, "\(found)")
        }
        #expect(try copies(api).isEmpty)
    }

    @Test("outlives its original, which is told; and what needs no pod is done whatever is missing")
    func outlives() async throws {
        let api = MemoryAPI()
        try put(api, "one", data: [Self.key: [1]])
        #expect(try await errors(api, ["one"]).isEmpty)
        let told = { api.bodies("POST /api/v1/namespaces/demo/events").count }
        let before = told()
        // Neither one that is gone nor another in its place is copied.
        try put(api, "one", type: "Opaque", data: [Self.key: [2]])
        for count in 1...2 {
            #expect(try await errors(api, ["one"]).isEmpty)
            #expect(try copies(api) == ["pull-one": [1]] && told() == before + count)
            api["/api/v1/namespaces/tendril-system/secrets/one"] = nil
        }
        let mistyped = try await run(api, ["none"])
        #expect(mistyped.errors.map(\.task) == [TaskName.pullSecrets])
        #expect(mistyped.records[TaskName.certificates] != nil)
        #expect(try copies(api) == ["pull-one": [1]])
    }

    @Test("is copied anew when the shoot wakes up: nobody has followed its original meanwhile")
    func wakes() async throws {
        func isKnown(_ world: World) -> Bool {
            world.remembered("records.json")["tasks"]?[TaskName.pullSecrets] != nil
        }
        let asleep = try await Wish.wake.asked()
        let awake = try await Wish.wake.granted(in: asleep).world
        #expect(!isKnown(asleep) && isKnown(awake))
    }

    @Test("is needed by pods, and not by people who were let in already")
    func order() throws {
        func after(_ name: String, _ change: (inout Shoot) -> Void = { _ in }) throws -> [String] {
            let work = try Works.work(MemoryAPI(), try Works.configuration(), change)
            return ShootFlows.reconcile(work, LocalProvider(), Rotation()).first { $0.name == name }?.after ?? []
        }
        #expect(try after(TaskName.etcd).contains(TaskName.pullSecrets))
        #expect(try after(TaskName.certificates).allSatisfy { $0 != TaskName.pullSecrets })
        #expect(try after(TaskName.access) == [TaskName.apiAnswers])
        let known = try after(TaskName.access) { shoot in
            shoot.status = ShootStatus()
            shoot.status?.observedGeneration = 1
        }
        #expect(known == [TaskName.certificates])
    }
}
