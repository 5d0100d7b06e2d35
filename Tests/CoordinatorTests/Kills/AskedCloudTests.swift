import ClusterModel
import Coordinator
import Foundation
import LinuxSystem
import ShootSamples
import TendrilCore
import TestSupport
import Testing

@Suite("When a coordinator asks a cloud", .timeLimit(.minutes(5)))
struct AskedCloudTests {
    private static let namespace = "/api/v1/namespaces/\(World.home)"
    private static let credentials = "/api/v1/namespaces/demo/secrets/aws"
    private static let server = "/apis/apps/v1/namespaces/\(World.home)/deployments/kube-apiserver"
    private static let node = "/api/v1/nodes/ip-10-250-0-9"
    private static let network = ["network plan", "machines plan"]

    /// What may be so when everything is looked at.
    enum Sight: String, CaseIterable, CustomTestStringConvertible {
        case nothing
        case anotherDay
        case reconcile
        case retry
        case lostMachine
        case lostNode
        case silentAPI
        case otherKey
        case otherProgram

        var testDescription: String { rawValue }
    }

    /// A world with a shoot in a cloud and without machines, made once for all.
    private static let made = Task { try await granted(in: try begin(), with: [:]).world }

    private static func secret(_ key: String) throws -> JSONValue {
        try CanonicalJSON.value(
            KubernetesSecret(
                ObjectMetadata(name: "aws", namespace: "demo"),
                data: ["accessKeyID": Array("id".utf8), "secretAccessKey": Array(key.utf8)]
            )
        )
    }

    private static func begin() throws -> World {
        let shoot = try Samples.shoot {
            ($0.metadata.generation, $0.metadata.uid) = (1, "u1")
            ($0.spec.seedName, $0.spec.region) = ("here", "eu-central-1")
            $0.spec.kubernetes.version = "1.33.1"
            $0.spec.provider.type = .aws
            $0.spec.provider.infrastructure = ["zones": ["eu-central-1a"], "credentials": "aws"]
            $0.spec.networking.type = .overlay
            $0.spec.workers[0].machineType = "large"
            ($0.spec.workers[0].minimum, $0.spec.workers[0].maximum) = (0, 2)
        }
        let seed: JSONValue = ["metadata": ["name": "here"], "spec": try CanonicalJSON.value(try Samples.seed)]
        var world = World([
            World.shootPath: try CanonicalJSON.value(shoot), "/apis/tendril.dev/v1alpha1/seeds/here": seed,
        ])
        world.put(try secret("key"), inSeed: credentials)
        // A real API server gives it a uid.
        let labels: JSONValue = ["tendril.dev/shoot": "one", "tendril.dev/project": "demo"]
        world.put(["metadata": ["name": .string(World.home), "uid": "u-1", "labels": labels]], inSeed: namespace)
        return world
    }

    /// Settings of a coordinator that asks a cloud, with a workspace.
    private static func settings(in workspace: String) -> JSONValue {
        let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("terraform.sh").path
        return [
            "machineImages": [["name": "default", "program": ["baked": true], "ami": "ami-1"]],
            "terraform": ["program": .string(script), "workspace": .string(workspace), "endpoint": "https://api"],
        ]
    }

    /// A workspace for a cloud whose machines have these addresses.
    private static func workspace(_ addresses: JSONValue = []) throws -> TestDirectory {
        let directory = try TestDirectory()
        let outputs: JSONValue = [
            "subnets": ["value": ["s"]], "securityGroup": ["value": "g"], "addresses": ["value": addresses],
            "desired": ["value": [:]], "groups": ["value": [:]], "machines": ["value": [:]],
            "instances": ["value": [:]],
        ]
        try directory.write("outputs", try CanonicalJSON.text(outputs))
        return directory
    }

    /// For which parts it was asked there, in order.
    private static func runs(in directory: TestDirectory) -> [String] {
        let runs = (try? String(contentsOfFile: "\(directory.path)/runs", encoding: .utf8)) ?? ""
        return runs.split(separator: "\n").map(String.init).filter { $0.hasSuffix(" plan") }
    }

    /// Has a coordinator do what is to be done.
    ///
    /// - Parameters:
    ///   - world: in which there is something to do.
    ///   - settings: of the coordinator.
    ///   - addresses: of the machines that the cloud has.
    /// - Returns: what was run for which part, the world that it has become, and how that came.
    /// - Throws: where it is not done, or there is something to complain about.
    private static func granted(
        in world: World,
        with settings: JSONValue,
        addresses: JSONValue = []
    ) async throws -> (runs: [String], world: World, moments: [WorldServer.Moment]) {
        let directory = try workspace(addresses)
        let cloud = Self.settings(in: directory.path)
        let server = WorldServer(world)
        let outcome = try await Life.run(server, with: cloud.merging(settings), until: Wish.create.isDone)
        try #require(outcome.isDone && outcome.complaints.isEmpty, "\(outcome)")
        return (runs(in: directory), server.world, server.moments)
    }

    /// The shoot some time later, when this is so.
    private func later(_ sight: Sight, _ world: inout World) throws {
        switch sight {
        case .nothing: break
        case .anotherDay:
            try world.remember("records.json", ["lastLook": .integer(Int(Clock.unixTime()) - 2 * 86400)])
        case .reconcile, .retry:
            world.change(["metadata": ["annotations": [ShootAnnotation.operation: .string(sight.rawValue)]]])
        case .lostMachine:
            let record = Records.map("ip-10-250-0-9", expiry: Clock.unixTime())
            let path = "/api/v1/namespaces/\(TendrilAPI.namespace)/configmaps/\(record.metadata.name ?? "")"
            world.put(try CanonicalJSON.value(record), inShoot: path)
        case .lostNode:
            let node: JSONValue = [
                "metadata": ["name": "ip-10-250-0-9", "labels": [TokenGrant.poolLabel: "worker"]],
                "status": [
                    "conditions": [["type": "Ready", "status": "Unknown"]],
                    "addresses": [["type": "InternalIP", "address": "10.250.0.9"]],
                ],
            ]
            world.put(node, inShoot: Self.node)
        case .silentAPI:
            world.put((world.seed[Self.server] ?? [:]).merging(["spec": ["replicas": 0]]), inSeed: Self.server)
        case .otherKey: world.put(try Self.secret("other"), inSeed: Self.credentials)
        case .otherProgram:
            let tasks = [TaskName.infrastructure, TaskName.machines].map { ($0, ["inputs": "other"] as JSONValue) }
            try world.remember("records.json", ["tasks": .object(Dictionary(tasks) { first, _ in first })])
        }
    }

    private func lastLook(_ world: World) -> Int? { world.remembered("records.json")["lastLook"]?.number }

    @Test(
        "a look at everything passes it by, unless something may be gone or other: then first the network is made",
        arguments: Sight.allCases
    )
    func looks(_ sight: Sight) async throws {
        var world = try await Self.made.value
        let made = try #require(lastLook(world))
        try #require(made + 3600 > Int(Clock.unixTime()))
        try world.remember("records.json", ["lastLook": .integer(made - 1)])
        try later(sight, &world)
        // It is time for it at once.
        let machines: JSONValue = sight == .lostNode ? ["10.250.0.7"] : []
        let (runs, after, _) = try await Self.granted(in: world, with: ["syncMinutes": 0], addresses: machines)
        #expect(Array(runs.prefix(2)) == (sight == .nothing ? [] : Self.network), "\(runs)")
        if sight == .nothing {
            #expect(lastLook(after) == made - 1)
        } else if sight != .otherProgram {
            #expect(lastLook(after) ?? 0 >= made)
        }
        let kept = after.seed["\(Self.namespace)/secrets/cloud-credentials"]?["data"]
        #expect(kept == after.seed[Self.credentials]?["data"])
        // What the cloud says of its machine.
        #expect(after.shoot[Self.node] == nil)
    }

    @Test("one that was asked on another day is asked once on this one, however often everything is looked at")
    func onceADay() async throws {
        var world = try await Self.made.value
        try later(.anotherDay, &world)
        let first = try await Self.granted(in: world, with: ["syncMinutes": 0])
        let second = try await Self.granted(in: first.world, with: ["syncMinutes": 0])
        #expect(Array(first.runs.prefix(2)) == Self.network && second.runs == [], "\(first.runs), \(second.runs)")
    }

    @Test(
        "machines that cannot be changed may lack their network: that is asked for first, also by who starts just then",
        arguments: [false, true]
    )
    func failed(_ isKilled: Bool) async throws {
        var world = try await Self.made.value
        let pool = try #require(world.shootDocument?["spec"]?["workers"]?.items.first)
        world.change(["spec": ["workers": [pool.merging(["maximum": 3])]]])
        let (server, directory) = (WorldServer(world), try Self.workspace())
        let faults = try directory.write("faults", "plan fail\n")
        let outcome = try await Life.run(
            server,
            with: Self.settings(in: directory.path),
            enduring: ["task failed"]
        ) { world in
            let last = world.shootDocument?["status"]?["lastOperation"]
            guard last?["state"]?.text == ShootStatus.OperationState.error.rawValue else {
                return Wish.create.isDone(world)
            }
            let tasks = world.remembered("records.json")["tasks"]
            if isKilled { return tasks?[TaskName.infrastructure]?["inputs"] == "" }
            // The next time it has what it is asked for.
            try? FileManager.default.removeItem(atPath: faults)
            return false
        }
        try #require(outcome.isDone && outcome.complaints.isEmpty, "\(outcome)")
        var runs = Self.runs(in: directory)
        #expect(runs.first == "machines plan")
        if isKilled {
            runs = try await Self.granted(in: server.world, with: [:]).runs
        } else {
            runs = Array(runs.dropFirst())
        }
        #expect(Array(runs.prefix(2)) == Self.network, "\(runs)")
    }

    @Test("another key that was kept is asked with, also by a coordinator that starts just then")
    func keptBefore() async throws {
        var world = try await Self.made.value
        try later(.otherKey, &world)
        let moments = try await Self.granted(in: world, with: ["syncMinutes": 0]).moments
        let kept = moments.first { $0.path == "\(Self.namespace)/secrets/cloud-credentials" }
        // It is not time to look at everything.
        let runs = try await Self.granted(in: try #require(kept?.world), with: [:]).runs
        #expect(Array(runs.prefix(2)) == Self.network, "\(runs)")
    }

    @Test("what cannot be at AWS is refused before Terraform runs, with its field", arguments: [true, false])
    func refused(_ isMade: Bool) async throws {
        var world = try await isMade ? Self.made.value : Self.begin()
        let moved: JSONValue = ["provider": ["infrastructure": ["zones": ["eu-central-1b", "eu-central-1a"]]]]
        let large: JSONValue = ["networking": ["nodes": "172.16.0.0/12"]]
        let reason =
            isMade
            ? "spec.provider.infrastructure.zones: zones can be added at the end, and neither removed nor moved"
            : "spec.networking.nodes: 172.16.0.0/12 is not a /16 to a /25"
        world.change(["spec": isMade ? moved : large])
        // Terraform would fail there.
        let settings = Self.settings(in: "/nowhere")
        let outcome = try await Life.run(WorldServer(world), with: settings, enduring: ["cannot reconcile"]) {
            $0.shootDocument?["status"]?["lastOperation"]?["description"]?.text?.contains(reason) == true
        }
        #expect(outcome.isDone && outcome.complaints == [], "\(outcome)")
        #expect(!outcome.tasks.contains(TaskName.infrastructure), "\(outcome)")
    }

    @Test("the key for a cloud does not go into a namespace that somebody else has made")
    func foreignNamespace() async throws {
        var world = try Self.begin()
        world.put(["metadata": ["name": .string(World.home), "uid": "u-2"]], inSeed: Self.namespace)
        let server = WorldServer(world)
        // A credential is looked at in each pass, ahead of the flow.
        let settings = Self.settings(in: "/nowhere").merging(["syncMinutes": 0])
        let outcome = try await Life.run(server, with: settings, enduring: ["task failed"]) {
            let last = $0.shootDocument?["status"]?["lastOperation"]
            return last?["description"]?.text?.contains("is not this shoot's") == true
        }
        #expect(outcome.isDone && outcome.tasks == [] && outcome.complaints == [], "\(outcome)")
        #expect(server.world.seed.documents.keys.filter { $0.hasPrefix("\(Self.namespace)/") } == [])
    }

    @Test("a flow that finds everything done has asked nobody, and does not say so")
    func unasked() async throws {
        var world = try await Self.made.value
        try world.remember("records.json", ["lastLook": .null])
        let (runs, after, _) = try await Self.granted(in: world, with: [:])
        #expect(runs == [] && lastLook(after) == nil)
    }
}
