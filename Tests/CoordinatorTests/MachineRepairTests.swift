import ClusterModel
import Coordinator
import KubernetesClient
import LinuxSystem
import NodePlan
import ShootPlan
import TendrilCore
import Testing

@Suite("Machines that do not become nodes", .timeLimit(.minutes(10)))
struct MachineRepairTests {
    private static let patience = PoolRepair.patience

    /// A shoot with local machines, and the host that they are on.
    private struct Scene {
        let api = MemoryAPI()
        let work: ShootWork
        let repair: MachineRepair

        init(machines: String, minimum: Int = 2) throws {
            work = try Works.work(api, try Works.configuration()) {
                ($0.spec.workers[0].minimum, $0.spec.workers[0].maximum) = (minimum, minimum)
                $0.metadata.generation = 1
            }
            let pool = work.facts.spec.workers[0]
            let group = MachineGroup(
                pool: pool,
                image: MachineImage(name: "default", program: .init(baked: true)),
                userData: []
            )
            repair = MachineRepair(work, LocalProvider(), api.client, [:]) { [group] }
            let notes = [LocalProvider.desired: "\(minimum)", LocalProvider.present: machines]
            let metadata = ObjectMetadata(
                name: "machines-worker",
                namespace: work.namespace,
                labels: [LocalProvider.label: "true"],
                annotations: notes
            )
            try api.put(KubernetesSecret(metadata, data: [:]))
        }

        /// A Node that is not ready, since a moment that may be known, in seconds since 1970.
        func addNode(_ name: String, silentSince moment: UInt64? = nil) {
            var ready: JSONValue = ["type": "Ready", "status": "Unknown"]
            if let moment {
                ready = ready.merging(["lastTransitionTime": .string(KubernetesTime.text(seconds: moment))])
            }
            api["/api/v1/nodes/\(name)"] = [
                "metadata": ["name": .string(name), "labels": ["tendril.dev/pool": "worker"]],
                "status": ["conditions": [ready]],
            ]
        }

        /// What a machine says of itself.
        func say(_ name: String, since: UInt64, _ phase: BootstrapPhase, _ error: String? = nil) throws {
            var bootstrap = NodeBootstrap(name: name, pool: "worker")
            bootstrap.metadata.creationTimestamp = KubernetesTime.text(seconds: since)
            bootstrap.status = .init(phase: phase)
            bootstrap.status?.error = error
            try api.put(bootstrap)
        }

        /// Does something while the host ends what is to leave, and boots another in its place.
        func withHost<Value>(_ body: () async throws -> Value) async throws -> Value {
            let (client, namespace) = (api.client, work.namespace)
            let host = Task {
                var number = 0
                while !Task.isCancelled {
                    let group = try await client.get(KubernetesSecret.self, "machines-worker", namespace: namespace)
                    let notes = group.metadata.annotations ?? [:]
                    var there = notes[LocalProvider.present]?.split(separator: ",").map(String.init) ?? []
                    if let name = notes[LocalProvider.leaving], let index = there.firstIndex(of: name) {
                        number += 1
                        there[index] = "new\(number)"
                        let present = JSONValue.string(there.joined(separator: ","))
                        let change: JSONValue = ["metadata": ["annotations": [LocalProvider.present: present]]]
                        try await client.patch(
                            KubernetesSecret.self,
                            "machines-worker",
                            namespace: namespace,
                            change
                        )
                    }
                    try await Task.sleep(.milliseconds(2))
                }
            }
            defer { host.cancel() }
            return try await body()
        }

        var machines: String? {
            get throws {
                try api.find(KubernetesSecret.self, "machines-worker", namespace: work.namespace)?
                    .metadata.annotations?[LocalProvider.present]
            }
        }

        /// The reasons and texts of all Events.
        var events: [String] {
            api.bodies("POST /api/v1/namespaces/demo/events").map {
                "\($0["reason"]?.text ?? ""): \($0["message"]?.text ?? "")"
            }
        }
    }

    @Test("while all of them are nodes nobody is asked, and nothing is remembered")
    func well() async throws {
        let scene = try Scene(machines: "a,b")
        for name in ["a", "b"] { scene.addNode(name) }
        #expect(await !scene.repair.attend(at: 1000))
        #expect(scene.api.bodies("GET /api/v1/namespaces/").isEmpty && scene.api.bodies("PATCH").isEmpty)
    }

    @Test("of machines that ended by themselves the Nodes go after five minutes of silence, and of no others")
    func endedByThemselves() async throws {
        let scene = try Scene(machines: "a", minimum: 1)
        for (name, moment) in [("a", 1000), ("b", 1000), ("c", 1001), ("d", nil)] as [(String, UInt64?)] {
            scene.addNode(name, silentSince: moment)
        }
        await scene.repair.attend(at: 1299)
        #expect(scene.api.paths("/api/v1/nodes/").count == 4)
        await scene.repair.attend(at: 1300)
        #expect(scene.api.paths("/api/v1/nodes/") == ["a", "c", "d"].map { "/api/v1/nodes/\($0)" })
        #expect(scene.events == ["MachineEnded: node b is removed: its machine is gone"])
    }

    @Test("one that says why it does not come is ended once its time is over, with its reason; its traces go with it")
    func failing() async throws {
        let scene = try Scene(machines: "a,b")
        scene.addNode("a")
        try scene.say("b", since: 1000, .trust, "wrong pin")
        #expect(await scene.repair.attend(at: 1000 + Self.patience - 1))
        #expect(try scene.machines == "a,b" && scene.events.isEmpty)
        try await scene.withHost { _ = await scene.repair.attend(at: 1000 + Self.patience) }
        #expect(try scene.machines == "a,new1")
        let text =
            "EndingMachine: pool worker: b has not become a node in 15 min (trust: wrong pin); "
            + "another one comes in its place, 1 of 3"
        #expect(scene.events == [text])
        #expect(try scene.api.find(NodeBootstrap.self, "b") == nil)
    }

    @Test("one that says nothing is ended, too; who looks anew, as after a crash, counts on from what was noted")
    func silent() async throws {
        let scene = try Scene(machines: "a,b")
        scene.addNode("a")
        #expect(await scene.repair.attend(at: 1000))
        let again = MachineRepair(scene.work, LocalProvider(), scene.api.client, [:]) {
            [
                MachineGroup(
                    pool: scene.work.facts.spec.workers[0],
                    image: MachineImage(name: "default", program: .init(baked: true)),
                    userData: []
                )
            ]
        }
        try await scene.withHost { _ = await again.attend(at: 1000 + Self.patience) }
        #expect(try scene.machines == "a,new1" && scene.events.count == 1)
    }

    @Test("only some are ended; then it is said once that no more are, until somebody asks for it")
    func bounded() async throws {
        let scene = try Scene(machines: "a", minimum: 1)
        try await scene.withHost {
            for turn in 0..<40 { await scene.repair.attend(at: 1000 + UInt64(turn) * Self.patience) }
            #expect(try scene.machines == "new3")
            #expect(scene.events.count { $0.hasPrefix("EndingMachine: ") } == 3)
            #expect(scene.events.count { $0.hasPrefix("MachinesKeepFailing: ") } == 1)
            // The provider is not asked any more, either: at a cloud that is a run of Terraform.
            let looks = scene.api.bodies("GET /api/v1/namespaces/\(scene.work.namespace)/secrets").count
            await scene.repair.attend(at: 1000 + 40 * Self.patience, isCertain: true)
            let after = scene.api.bodies("GET /api/v1/namespaces/\(scene.work.namespace)/secrets").count
            #expect(after - looks == 0)
            try await MachineRepair.forget(scene.work)
            for turn in 40..<43 { await scene.repair.attend(at: 1000 + UInt64(turn) * Self.patience) }
            #expect(try scene.machines == "new4")
        }
    }

    @Test("a machine that became a node meanwhile, and one whose Node somebody deleted, are left alone")
    func spared() async throws {
        let scene = try Scene(machines: "a,b")
        scene.addNode("a")
        try scene.say("b", since: 1000, .done)
        for time: UInt64 in [1000, 10_000, 100_000] { await scene.repair.attend(at: time, isCertain: true) }
        #expect(try scene.machines == "a,b" && scene.events.isEmpty)
    }

    @Test("what was kept and granted for one that has ended goes, and its name is free; nothing of any other goes")
    func ended() async throws {
        let prefix = LocalProvider().namePrefix(try Scene(machines: "").work.namespace, pool: "worker")
        let scene = try Scene(machines: "\(prefix)1,\(prefix)2")
        let (now, long): (UInt64, UInt64) = (1_000_000, 86400)
        for number in 1...4 { try scene.api.put(Records.map("\(prefix)\(number)", expiry: now + long)) }
        try scene.api.put(Records.map("\(prefix)5", expiry: now + ApprovalRules.agentLifetime - 599))
        try scene.api.put(Records.map("mine", expiry: now + long))
        scene.addNode("\(prefix)3")
        let role = ClusterRole.resource.path(namespace: nil, name: "tendril:agent:\(prefix)")
        for number in 1...5 {
            scene.api[role + "\(number)"] = [:]
            try scene.say("\(prefix)\(number)", since: now, .done)
        }
        await scene.repair.attend(at: now, isCertain: true)
        // One that runs, one with a Node, one that has just come, and somebody's own are left.
        #expect(Set(Records.machines(scene.api)) == Set([1, 2, 3, 5].map { "\(prefix)\($0)" } + ["mine"]))
        #expect(scene.api.paths(role) == [1, 2, 3, 5].map { "\(role)\($0)" })
        #expect(try scene.api.find(NodeBootstrap.self, "\(prefix)4") == nil)
        #expect(try scene.api.find(NodeBootstrap.self, "\(prefix)5") != nil)
    }

    @Test("one more than the least number that does not come is found where a flow waited for it in vain")
    func surge() async throws {
        let scene = try Scene(machines: "a,b", minimum: 1)
        scene.addNode("a")
        try await scene.api.client.patch(
            KubernetesSecret.self,
            "machines-worker",
            namespace: scene.work.namespace,
            ["metadata": ["annotations": [LocalProvider.desired: "2"]]]
        )
        #expect(await !scene.repair.attend(at: 1000))
        #expect(await scene.repair.attend(at: 1000, isCertain: true))
        try await scene.withHost { _ = await scene.repair.attend(at: 1000 + Self.patience, isCertain: true) }
        #expect(try scene.machines == "a,new1")
    }
}
