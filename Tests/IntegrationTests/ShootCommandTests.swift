import Foundation
import LinuxSystem
import TendrilCore
import TestSupport
import Testing

@Suite("Commands for a shoot", .enabled(if: Shipped.obstacle == nil, "\(Shipped.obstacle ?? "")"))
struct ShootCommandTests {
    /// What a program said, how it ended, and the Shoot that it left.
    private struct Result {
        let code: Int
        let text: String
        let shoot: JSONValue
    }

    /// A Shoot whose first generation is done.
    private static func shoot(_ generation: Int, isPaused: Bool) -> String {
        """
        {"apiVersion": "tendril.dev/v1alpha1", "kind": "Shoot", "metadata": {"name": "one", "namespace": "demo",
        "generation": \(generation), "annotations": {"tendril.dev/pause": "\(isPaused)"}},
        "spec": {"kubernetes": {"version": "1.20.2"}, "networking": {"type": "overlay", "pods": "100.96.0.0/11",
        "services": "100.64.0.0/13", "nodes": "10.250.0.0/16"}, "provider": {"type": "local"}, "workers": [],
        "controlPlane": {"replicas": 1}, "hibernation": {"enabled": false}, "addons": {"kubeProxy": true, "dns": true,
        "metrics": true, "dashboard": false}, "vpn": {"lanes": 2}}, "status": {"observedGeneration": 1,
        "lastOperation": {"type": "Reconcile", "state": "Succeeded", "progress": 100, "description": "done",
        "lastUpdateTime": "2026-01-01T00:00:00Z", "generation": 1}}}
        """
    }

    /// Runs `tendril` where no coordinator takes care of the shoot, which has some fields `more`.
    private func run(
        _ words: String,
        generation: Int = 1,
        isPaused: Bool = false,
        with more: JSONValue = [:],
        seconds: Int = 100,
        variables: [String] = []
    ) throws -> Result {
        let script = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "garden.py").path
        let program = try #require(Shipped.tendril.path)
        let plain = Data(Self.shoot(generation, isPaused: isPaused).utf8)
        let before = try JSONEncoder().encode(try JSONDecoder().decode(JSONValue.self, from: plain).merging(more))
        let outcome = try ChildProcess.run(
            "/usr/bin/env",
            variables + ["python3", script, "\(seconds)", String(decoding: before, as: UTF8.self), program]
                + words.split(separator: " ").map(String.init),
            timeout: .seconds(200)
        )
        let last = try #require(outcome.output.split(separator: "\n").last)
        let shoot = try JSONDecoder().decode(JSONValue.self, from: Data(last.utf8))
        return Result(code: outcome.code, text: String(outcome.output.dropLast(last.utf8.count + 1)), shoot: shoot)
    }

    private static let resume = "kubectl -n demo annotate shoot one tendril.dev/pause-"

    @Test(
        "keep what is wanted of one that is paused, say so, and do not wait",
        arguments: ["hibernate one", "rotate one --start", "reconcile one"]
    )
    func paused(_ words: String) throws {
        let result = try run("shoot \(words)", isPaused: true)
        #expect(result.code == 78, "\(result.text)")
        #expect(result.text.hasPrefix("error: shoot demo/one is paused (annotation tendril.dev/pause=true)"))
        #expect(result.text.contains(Self.resume) && result.text.split(separator: "\n").count == 1, "\(result.text)")
        let isKept =
            result.shoot["spec"]?["hibernation"]?["enabled"] == true
            || ["rotate-start", "reconcile"].contains(
                result.shoot["metadata"]?["annotations"]?["tendril.dev/operation"]
            )
        #expect(isKept, "\(result.shoot)")
    }

    @Test("that only look say that it is paused, and end where nothing is missing")
    func pausedAndDone() throws {
        for words in ["shoot get one", "shoot get one --watch"] {
            let result = try run(words, isPaused: true)
            #expect(result.code == 0 && result.text.contains(Self.resume), "\(words): \(result.text)")
        }
    }

    @Test(
        "show what machines and others have written in printable characters",
        arguments: ["get one", "get one --watch", "reconcile one"]
    )
    func hostileText(_ words: String) throws {
        let hostile: JSONValue = "\u{1B}[2J\u{9B}31m\u{202E}\r\n\u{7F}x"
        let error: JSONValue = [
            "task": hostile, "code": "ERR_UNKNOWN", "description": hostile, "lastUpdateTime": "2026-01-01T00:00:00Z",
        ]
        let status: JSONValue = [
            "seedName": hostile, "lastErrors": [error], "lastOperation": ["state": "Failed", "description": hostile],
            "conditions": [["type": hostile, "status": "False", "message": hostile, "lastTransitionTime": hostile]],
            "advertisedAddresses": [["name": hostile, "url": hostile]],
        ]
        let result = try run("shoot \(words)", with: ["status": status])
        #expect(result.text.contains("?[2J"), "\(result.text.debugDescription)")
        #expect(result.text.utf8.allSatisfy { $0 == 0x0A || (0x20...0x7E).contains($0) })
    }

    @Test("believe the CA that the kubeconfig names, and none of this machine's beside it")
    func stranger() throws {
        let result = try run("shoot get one", isPaused: false, variables: ["GARDEN_STRANGER=1"])
        #expect(result.code == 69 && result.text.contains("could not reach https://127.0.0.1:"), "\(result.text)")
        #expect(result.text.contains("certificate"), "\(result.text)")
    }

    @Test("that watch say that it is paused, once, and go on: somebody else may resume it")
    func watched() throws {
        let result = try run("shoot get one --watch", generation: 2, isPaused: true, seconds: 5)
        #expect(result.code == 124 && result.text.contains(Self.resume), "\(result.text)")
        #expect(result.text.split(separator: "\n").count == 1, "\(result.text)")
    }

    @Test("that delete it do not ask whether it is paused")
    func deleted() throws {
        let result = try run("shoot delete one --confirm one", isPaused: true, seconds: 5)
        #expect(result.code == 124 && !result.text.contains("paused"), "\(result.text)")
    }

    @Test(
        "that cannot delete it leave it as it was, without a confirmation for the next, and say why",
        arguments: [403, 500]
    )
    func keptShoot(_ status: Int) throws {
        let result = try run("shoot delete one --confirm one", variables: ["GARDEN_KEEPS=\(status)"])
        #expect(result.code == 69 && result.text.hasSuffix("not you?[2J (\(status))\n"), "\(result.text)")
        let annotations = result.shoot["metadata"]?["annotations"]
        #expect(annotations?["confirmation.tendril.dev/deletion"] == nil, "\(result.shoot)")
        let confirmation: JSONValue = ["confirmation.tendril.dev/deletion": "true"]
        let before: JSONValue = ["metadata": ["annotations": confirmation]]
        let confirmed = try run("shoot delete one --confirm one", with: before, variables: ["GARDEN_KEEPS=\(status)"])
        let kept = confirmed.shoot["metadata"]?["annotations"]
        #expect(confirmed.code == 69 && kept?["confirmation.tendril.dev/deletion"] == "true")
    }

    @Test("that are told of a failure leave the confirmation to one that is being deleted all the same")
    func deletedAllTheSame() throws {
        let result = try run("shoot delete one --confirm one", variables: ["GARDEN_LIES=500"])
        #expect(result.code == 69 && result.text.hasSuffix("(500)\n"), "\(result.text)")
        #expect(result.shoot["metadata"]?["annotations"]?["confirmation.tendril.dev/deletion"] == "true")
    }

    @Test("say that machines and links are missing where none ever came", arguments: ["node status", "vpn status"])
    func nobodyCame(_ words: String) throws {
        let workers: JSONValue = ["spec": ["workers": [["name": "w", "minimum": 3, "maximum": 3]]]]
        let result = try run("\(words) one", with: workers, variables: ["GARDEN_OPENS=1"])
        #expect(result.code == 69, "\(result.text)")
        let reason = words == "node status" ? "0 of 3 machines have come" : "shoot demo/one has no nodes"
        #expect(result.text.contains(reason), "\(result.text)")
        #expect(try run("\(words) one", variables: ["GARDEN_OPENS=1"]).code == 0)
    }

    @Test("write a kubeconfig over an earlier one, and over nothing else")
    func kubeconfigFile() throws {
        let directory = try TestDirectory()
        defer { withExtendedLifetime(directory) {} }
        func code(_ file: String, _ more: String = "", server: String = "https://one:6443") throws -> Int {
            let words = "kubeconfig one --out \(directory.path)/\(file)\(more)"
            return try run(words, variables: ["GARDEN_OPENS=\(server)"]).code
        }
        #expect(try code("new") == 0)
        #expect(try code("new") == 0)
        // The names in it are those of every shoot.
        #expect(try code("new", server: "https://two:6443") == 71)
        #expect(try directory.text("new").contains("https://one:6443"))
        try directory.write("empty", "")
        #expect(try code("empty") == 0)
        let others = "{kind: Config, contexts: [{name: a}, {name: b}]}"
        for name in ["own", "notes"] { try directory.write(name, name == "own" ? others : "a") }
        #expect(try code("own") == 71)
        #expect(try code("notes") == 71)
        #expect(try directory.text("own") == others)
        #expect(try code("own", " --force") == 0)
        #expect(try directory.text("own") != others)
        try FileManager.default.createSymbolicLink(
            atPath: "\(directory.path)/link",
            withDestinationPath: "\(directory.path)/notes"
        )
        #expect(try code("link", " --force") == 71)
        #expect(try directory.text("notes") == "a")
    }

    @Test(
        "do not wait for ever for a shoot that is refused already: that is told once",
        arguments: ["reconcile one", "rotate one --start", "wake one"]
    )
    func refusedAlready(_ words: String) throws {
        let operation: JSONValue = ["state": "Failed", "description": "spec.region: cannot be changed from a"]
        let result = try run("shoot \(words)", with: ["status": ["lastOperation": operation]])
        #expect(result.code == 78, "\(result.text)")
        #expect(result.text.hasSuffix("error: spec.region: cannot be changed from a\n"), "\(result.text)")
    }

    @Test(
        "do not wait for ever for what a coordinator refuses, and say why",
        arguments: [("rotate one --start", nil), ("rotate one --complete", "Prepared")] as [(String, String?)]
    )
    func refusedByCoordinator(_ words: String, _ phase: String?) throws {
        let rotation: JSONValue = phase.map { ["credentialRotation": ["phase": .string($0)]] } ?? [:]
        let result = try run("shoot \(words)", with: ["status": rotation], variables: ["GARDEN_REFUSES=it_sleeps"])
        #expect(result.code == 78 && result.text.hasSuffix("error: it was refused: it_sleeps\n"), "\(result.text)")
    }

    @Test("ask for no rotation while a restoration is under way", arguments: ["Replacing", "Starting"])
    func rotateWhileRestored(_ phase: String) throws {
        let restoration: JSONValue = [
            "snapshot": "s", "phase": .string(phase), "startTime": "2026-01-01T00:00:00Z",
        ]
        let result = try run("shoot rotate one --start", with: ["status": ["restoration": restoration]])
        #expect(result.code == 78 && result.text.contains("a restoration is under way"), "\(result.text)")
        #expect(result.shoot["metadata"]?["annotations"]?["tendril.dev/operation"] == nil)
    }

    @Test(
        "that wait for something else fail where somebody deletes it meanwhile",
        arguments: ["create --file \(file)", "hibernate one", "wake one", "reconcile one", "rotate one --start"]
    )
    func goesMeanwhile(_ words: String) throws {
        try Self.written.write(toFile: Self.file, atomically: true, encoding: .utf8)
        let result = try run("shoot \(words)", variables: ["GARDEN_GOES=3"])
        #expect(result.code == 78 && result.text.contains("error: shoot demo/one is gone"), "\(result.text)")
        #expect(!result.text.contains("the rotation of"), "\(result.text)")
    }

    @Test("that delete it, or only look, end well when it is gone")
    func goes() throws {
        let leaving: JSONValue = ["metadata": ["deletionTimestamp": "2026-01-01T00:00:00Z"]]
        for words in ["delete one --confirm one", "get one --watch"] {
            let result = try run("shoot \(words)", with: leaving, variables: ["GARDEN_GOES=3"])
            #expect(result.code == 0 && result.text.hasSuffix("shoot demo/one is gone\n"), "\(words): \(result.text)")
        }
    }

    @Test("refuse a file for one that is being deleted", arguments: ["create", "plan"])
    func fileForLeaving(_ word: String) throws {
        try Self.written.write(toFile: Self.file, atomically: true, encoding: .utf8)
        let leaving: JSONValue = ["metadata": ["deletionTimestamp": "2026-01-01T00:00:00Z"]]
        let result = try run("shoot \(word) --file \(Self.file)", with: leaving)
        #expect(result.code == 78 && result.text.contains("shoot demo/one is being deleted"), "\(result.text)")
        #expect(result.shoot["metadata"]?["generation"] == 1)
    }

    @Test(
        "write down what is wanted and leave, where nobody is to wait",
        arguments: [
            ("hibernate one", "is to sleep"), ("wake one", "is to be awake"),
            ("rotate one --start", "is to have new CAs and keys"), ("delete one --confirm one", "is to be gone"),
            ("create --file \(file)", "is wanted"), ("reconcile one", "is to be made anew"),
        ]
    )
    func noWait(_ words: String, _ told: String) throws {
        try Self.written.write(toFile: Self.file, atomically: true, encoding: .utf8)
        let result = try run("shoot \(words) --no-wait", isPaused: false)
        #expect(result.code == 0 && result.text == "shoot demo/one \(told)\n", "\(result.text)")
        guard !words.hasPrefix("delete") else { return }
        let paused = try run("shoot \(words) --no-wait", isPaused: true)
        #expect(paused.code == 0 && paused.text.contains(told) && paused.text.contains(Self.resume), "\(paused.text)")
    }

    @Test("print the whole Shoot and nothing else where a program reads it", arguments: ["--no-wait", ""])
    func forPrograms(_ more: String) throws {
        let result = try run("shoot hibernate one --output json \(more)", isPaused: false, seconds: 5)
        // Nobody is there who would put it to sleep.
        #expect(result.code == (more.isEmpty ? 124 : 0), "\(result.text)")
        let lines = result.text.split(separator: "\n")
        #expect(lines.count == 1, "\(result.text)")
        let shoot = try JSONDecoder().decode(JSONValue.self, from: Data(result.text.utf8))
        #expect(shoot["spec"]?["hibernation"]?["enabled"] == true && shoot["kind"] == "Shoot", "\(result.text)")
        let paused = try run("shoot hibernate one --output json --no-wait", isPaused: true)
        #expect(paused.code == 0 && !paused.text.contains("is paused (annotation"), "\(paused.text)")
    }

    @Test(
        "refuse a file before anything is written, with its field",
        arguments: [
            ("overlay", "routed", "spec.networking.type: cannot be changed from overlay"),
            ("kind: Shoot", "kind: Seed", "kind: is Seed; it has to be Shoot"),
            ("apiVersion: tendril.dev", "apiVersion: gardener.cloud", "apiVersion: is gardener.cloud/v1alpha1; it has"),
            ("kind: Shoot, ", "", "kind: is missing; it has to be Shoot"),
            ("{name: one}", "{name: one, managedFields: [{manager: a}]}", "metadata.managedFields: leave it out"),
            ("type: local", "type: aws", "spec.provider.infrastructure: is missing"),
            ("type: local", "type: gcp", "spec.provider.type: gcp is none of local, aws (line 2)"),
            ("workers:", "workerz:", "spec.workers: is missing"), ("workers:", "workerz:", "spec.workerz: is no field"),
            (
                "maximum: 1", "maximum: 1, taints: [{key: a, effect: NoSchedule}, {key: a, effect: NoSchedule}]",
                "spec.workers[0].taints[1]: a:NoSchedule is there twice"
            ),
        ]
    )
    func refused(_ part: String, _ other: String, _ reason: String) throws {
        let file = Self.file + UUID().uuidString
        defer { try? FileManager.default.removeItem(atPath: file) }
        let text = Self.written.replacingOccurrences(of: part, with: other)
        try text.write(toFile: file, atomically: true, encoding: .utf8)
        let result = try run("shoot create --file \(file)", isPaused: false)
        #expect(result.code == 78 && result.text.contains(reason), "\(result.text)")
        #expect(result.shoot["metadata"]?["generation"] == 1)
    }

    @Test(
        "refuse what cannot be at AWS, and what does not go with the network that is there",
        arguments: [
            ("one", "eu-1a", "10.250.0.0/16", "spec.provider.infrastructure.zones: zones can be added at the end"),
            ("two", "us-1a", "10.250.0.0/16", "spec.provider.infrastructure.zones[0]: us-1a is not in the region eu-1"),
            ("two", "eu-1a", "10.0.0.0/12", "spec.networking.nodes: 10.0.0.0/12 is not a /16 to a /25"),
        ]
    )
    func refusedAtAWS(_ name: String, _ zone: String, _ nodes: String, _ reason: String) throws {
        let file = Self.file + UUID().uuidString
        defer { try? FileManager.default.removeItem(atPath: file) }
        let provider = "type: aws, infrastructure: {zones: [\(zone)], credentials: aws}}, region: eu-1"
        let text = Self.written.replacingOccurrences(of: "type: local}", with: provider)
            .replacingOccurrences(of: "type: overlay", with: "type: overlay, nodes: \(nodes)")
            .replacingOccurrences(of: "maximum: 1", with: "maximum: 1, machineType: large")
            .replacingOccurrences(of: "{name: one}", with: "{name: \(name)}")
        try text.write(toFile: file, atomically: true, encoding: .utf8)
        let made: JSONValue = ["zones": ["eu-1a", "eu-1b"]]
        let there: JSONValue = [
            "spec": ["region": "eu-1", "provider": ["type": "aws", "infrastructure": made]],
            "status": ["infrastructure": made],
        ]
        for word in ["create", "plan"] {
            let result = try run("shoot \(word) --file \(file)", with: there)
            #expect(result.code == 78 && result.text.contains(reason), "\(result.text)")
            #expect(result.shoot["metadata"]?["generation"] == 1)
        }
    }

    @Test(
        "refuse another range also while a change is under way, and take it where what is stored was refused",
        arguments: [("Processing", false), ("Failed", true)]
    )
    func underWay(_ state: String, _ isRefused: Bool) throws {
        let file = Self.file + UUID().uuidString
        defer { try? FileManager.default.removeItem(atPath: file) }
        let text = Self.written.replacingOccurrences(of: "type: overlay", with: "type: overlay, pods: 100.112.0.0/12")
        try text.write(toFile: file, atomically: true, encoding: .utf8)
        let error: JSONValue = [
            "task": "prepare", "code": "ERR_CONFIGURATION_PROBLEM", "description": "spec.region: is another",
            "lastUpdateTime": "2026-01-01T00:00:00Z",
        ]
        let status: JSONValue = [
            "lastOperation": ["state": .string(state), "generation": 2],
            "lastErrors": .array(isRefused ? [error] : []),
        ]
        let result = try run("shoot create --no-wait --file \(file)", generation: 2, with: ["status": status])
        let reason = "spec.networking.pods: cannot be changed from 100.96.0.0/11"
        #expect(result.code == (isRefused ? 0 : 78) && result.text.contains(reason) == !isRefused, "\(result.text)")
        #expect(result.shoot["metadata"]?["generation"] == (isRefused ? 3 : 2))
    }

    @Test("take a file that leaves out what others have set", arguments: ["create --no-wait", "plan"])
    func leavesOut(_ words: String) throws {
        try Self.written.write(toFile: Self.file, atomically: true, encoding: .utf8)
        let others: JSONValue = ["spec": ["region": "eu-1", "networking": ["pods": "100.112.0.0/12"]]]
        let result = try run("shoot \(words) --file \(Self.file)", with: others)
        #expect(result.code == 0, "\(result.text)")
        let spec = result.shoot["spec"]
        #expect(spec?["region"] == "eu-1" && spec?["networking"]?["pods"] == "100.112.0.0/12", "\(result.shoot)")
        let isChanged = result.shoot["metadata"]?["generation"] == 2
        #expect(isChanged == words.hasPrefix("create"))
    }

    @Test(
        "forgive what the coordinator has accepted once, and nothing that is new",
        arguments: [("one", 20, true), ("one", 21, false), ("two", 20, false)]
    )
    func forgives(_ name: String, _ lanes: Int, _ isTaken: Bool) throws {
        let file = Self.file + UUID().uuidString
        defer { try? FileManager.default.removeItem(atPath: file) }
        let text = Self.written.replacingOccurrences(of: "type: local}", with: "type: local}, vpn: {lanes: \(lanes)}")
            .replacingOccurrences(of: "{name: one}", with: "{name: \(name)}")
        try text.write(toFile: file, atomically: true, encoding: .utf8)
        // An earlier release took so many.
        let result = try run("shoot create --no-wait --file \(file)", with: ["spec": ["vpn": ["lanes": 20]]])
        #expect(result.code == (isTaken ? 0 : 78), "\(result.text)")
        #expect(result.text.contains("spec.vpn.lanes: \(lanes) is not 1 to 16") == !isTaken, "\(result.text)")
        #expect(result.shoot["metadata"]?["generation"] == (isTaken ? 2 : 1))
    }

    @Test("refuse a file that does not go together with what others have set")
    func leavesOutWrongly() throws {
        let file = Self.file + UUID().uuidString
        defer { try? FileManager.default.removeItem(atPath: file) }
        let text = Self.written.replacingOccurrences(of: "type: overlay", with: "type: overlay, nodes: 10.1.0.0/16")
        try text.write(toFile: file, atomically: true, encoding: .utf8)
        let others: JSONValue = [
            "spec": ["networking": ["pods": "10.1.0.0/16"]], "status": ["observedGeneration": 0],
        ]
        let result = try run("shoot create --file \(file)", with: others)
        #expect(result.code == 78 && result.text.contains("overlaps spec.networking.pods"), "\(result.text)")
        #expect(result.shoot["metadata"]?["generation"] == 1)
    }

    @Test(
        "say what keeps people out of a shoot",
        arguments: [("one", "resumed"), ("other", "no shoot other in the project")]
    )
    func obstacle(_ name: String, _ reason: String) throws {
        let result = try run("kubeconfig \(name)", isPaused: true)
        #expect(result.code == 69 && result.text.contains(reason), "\(result.text)")
    }

    private static let file = NSTemporaryDirectory() + "shoot-\(UUID().uuidString)"

    private static let written = """
        {apiVersion: tendril.dev/v1alpha1, kind: Shoot, metadata: {name: one},
        spec: {kubernetes: {version: 1.20.2}, networking: {type: overlay}, provider: {type: local}, workers: [{name: w, minimum: 1, maximum: 1}]}}
        """
}
