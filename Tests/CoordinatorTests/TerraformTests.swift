import ClusterModel
import Coordinator
import Foundation
import HTTPModel
import KubernetesClient
import LinuxSystem
import NodePlan
import ShootPlan
import ShootSamples
import TendrilCore
import TestSupport
import Testing

@Suite("Terraform", .timeLimit(.minutes(10)))
struct TerraformTests {
    /// A shoot, a workspace, and a program that stands for Terraform and its cloud.
    private final class Scene: Sendable {
        let api: MemoryAPI
        private let directory: TestDirectory
        let workspace: String
        let work: ShootWork

        init(_ api: MemoryAPI = MemoryAPI()) throws {
            self.api = api
            directory = try TestDirectory()
            workspace = directory.path
            let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
                .appendingPathComponent("terraform.sh").path
            let settings: JSONValue = [
                "program": .string(script), "workspace": .string(workspace), "endpoint": "https://api",
            ]
            work = try Works.work(api, try Works.configuration(["terraform": settings])) {
                $0.spec.region = "eu-central-1"
                $0.spec.provider.type = .aws
                $0.spec.provider.infrastructure = ["zones": ["eu-central-1a"], "credentials": "aws"]
                $0.spec.networking.type = .overlay
                ($0.spec.workers[0].minimum, $0.spec.workers[0].maximum) = (2, 3)
            }
            api["/api/v1/namespaces/\(work.namespace)"] = ["metadata": ["uid": "u-1"]]
            try api.put(
                KubernetesSecret(
                    ObjectMetadata(name: "aws", namespace: "demo"),
                    data: ["accessKeyID": Array("id".utf8), "secretAccessKey": Array("key".utf8)]
                )
            )
        }

        /// The same shoot on its way out.
        var leaving: ShootWork {
            get throws {
                try Works.work(api, work.configuration) {
                    $0.spec = work.shoot.spec
                    $0.metadata.deletionTimestamp = "2026-01-01T00:00:00Z"
                }
            }
        }

        deinit { try? FileManager.default.removeItem(atPath: workspace) }

        var settings: CoordinatorConfiguration.Terraform {
            get throws { try #require(work.configuration.terraform) }
        }

        var provider: AWSProvider { get throws { AWSProvider(settings: try settings) } }

        func terraform(limit: Nanoseconds = .seconds(60)) throws -> Terraform {
            var made = Terraform(name: "network", settings: try settings, work: work, credentials: [:])
            made.limit = limit
            return made
        }

        /// Whether another key is kept now, which has to be prepared then and only then.
        func keepCredentials() async throws -> Bool {
            let prepared = Guarded(0)
            let isOther = try await provider.keepCredentials(work, ahead: { prepared.withLock { $0 += 1 } })
            #expect(prepared.withLock { $0 } == (isOther ? 1 : 0))
            return isOther
        }

        func apply(limit: Nanoseconds = .seconds(60)) async throws -> JSONValue {
            try await terraform(limit: limit).apply(Array("x".utf8), [:])
        }

        func destroy() async throws { try await terraform().destroy(Array("x".utf8), [:]) }

        /// How commands fail from now on.
        func fail(_ faults: String...) throws {
            try faults.joined(separator: "\n").write(toFile: "\(workspace)/faults", atomically: true, encoding: .utf8)
        }

        /// What there is of a scaling group from now on.
        func show(desired: Int, addresses: [String]) throws {
            let outputs: [String: JSONValue] = [
                "desired": ["worker": .integer(desired)], "groups": ["worker": "the-group"],
                "addresses": .array(addresses.map { .string($0) }),
                "machines": ["worker": .array(addresses.map { .string($0) })],
                "instances": .object(Dictionary(uniqueKeysWithValues: addresses.map { ($0, .string("i-\($0)")) })),
            ]
            let text = try CanonicalJSON.text(outputs.mapValues { ["value": $0] as JSONValue })
            try text.write(toFile: "\(workspace)/outputs", atomically: true, encoding: .utf8)
        }

        func lines(_ file: String) -> [String] {
            ((try? String(contentsOfFile: "\(workspace)/\(file)", encoding: .utf8)) ?? "").split(separator: "\n")
                .map(String.init)
        }

        /// What there is.
        var cloud: [String] { lines("cloud") }
        /// The commands that were run.
        var log: [String] { lines("log") }

        /// Another coordinator goes on, on another machine.
        func loseWorkspace() throws {
            try FileManager.default.removeItem(atPath: "\(workspace)/\(work.namespace)")
        }

        var keptState: String? {
            get throws {
                try api.find(KubernetesSecret.self, "terraform-network", namespace: work.namespace)?
                    .text("terraform.tfstate")
            }
        }
    }

    /// How something failed.
    private func failure(_ body: () async throws -> Void) async throws -> TaskFailure {
        try #require(await #expect(throws: TaskFailure.self) { try await body() })
    }

    @Test("makes what is wanted, once, and keeps its state in the seed")
    func apply() async throws {
        let scene = try Scene()
        #expect(try await scene.apply()["securityGroup"] == "g")
        let made = scene.cloud
        #expect(made.count == 2)
        #expect(try scene.keptState?.contains("aws_vpc.shoot") == true)
        try scene.loseWorkspace()
        _ = try await scene.apply()
        #expect(scene.cloud == made)
        try await scene.destroy()
        #expect(scene.cloud == [])
        #expect(try scene.keptState == nil)
    }

    @Test("a run that is killed before it could write anything down leaves nothing behind once all is removed")
    func lostState() async throws {
        let scene = try Scene()
        try scene.fail("apply forget")
        _ = try await failure { _ = try await scene.apply() }
        #expect(scene.cloud.count == 2)
        try scene.loseWorkspace()
        try scene.fail()
        try await scene.destroy()
        #expect(scene.cloud == [])
        #expect(scene.log.suffix(6) == ["init", "plan", "show", "import", "import", "destroy"])
    }

    @Test("what never began is not looked for")
    func untouched() async throws {
        let scene = try Scene()
        try await scene.destroy()
        _ = try await scene.provider.scale(scene.work, [], [:])
        try await scene.provider.remove(scene.work)
        #expect(scene.log == [])
    }

    @Test("what failed before anything was made is not looked for either: settings that are wrong hold up no deletion")
    func nothingMade() async throws {
        let scene = try Scene()
        try scene.fail("plan fail")
        _ = try await failure { _ = try await scene.apply() }
        let before = scene.log
        try await scene.destroy()
        #expect(scene.log == before)
    }

    @Test("what fails half-way is told with its code, and known to whoever goes on")
    func halfWay() async throws {
        let scene = try Scene()
        try scene.fail("apply half")
        #expect(try await failure { _ = try await scene.apply() }.code == .quota)
        let half = scene.cloud
        #expect(half.count == 1)
        #expect(try scene.keptState?.contains("aws_vpc.shoot") == true)
        try scene.loseWorkspace()
        try scene.fail("plan fail")
        #expect(try await failure { _ = try await scene.apply() }.code == .rateLimit)
        try scene.fail()
        _ = try await scene.apply()
        #expect(scene.cloud.count == 2 && scene.cloud.first == half.first)
    }

    @Test(
        "one that hangs is ended and told, whatever it does with its output",
        arguments: ["init hang", "plan hang", "apply silent-hang", "output hang"]
    )
    func hangs(_ fault: String) async throws {
        let scene = try Scene()
        try scene.fail(fault)
        let hanging = "terraform \(fault.split(separator: " ")[0]) network"
        let start = Clock.now()
        var told = TaskFailure(.unknown, "")
        // What comes before it has to be done within the same time, which a busy machine may need more of.
        for limit in [700, 3000, 12_000, 48_000] as [UInt64] where !told.description.hasPrefix(hanging) {
            told = try await failure { _ = try await scene.apply(limit: .milliseconds(limit)) }
        }
        #expect(told.code == .timeout && told.description.contains("was ended"), "\(told)")
        #expect(told.description.hasPrefix(hanging), "\(told)")
        // Other suites may keep all threads; what hangs does so for ten minutes.
        #expect(Clock.now().since(start) < Nanoseconds.seconds(300))
    }

    @Test("what it prints is believed only where it is whole", arguments: ["output garbage", "output empty"])
    func garbage(_ fault: String) async throws {
        let scene = try Scene()
        try scene.fail(fault)
        let told = try await failure { _ = try await scene.provider.prepare(scene.work) }
        #expect(told.description.hasPrefix("terraform output network: "), "\(told)")
        #expect(told.description.allSatisfy { !$0.isNewline })
        // What was made stays known.
        #expect(try scene.keptState?.contains("aws_vpc.shoot") == true)
        try scene.fail("show garbage")
        #expect(try await failure { try await scene.destroy() }.description.hasPrefix("terraform show network: "))
        #expect(scene.cloud.count == 2)
    }

    @Test("what is made carries whose it is, also beside a shoot of the same name in another garden")
    func identity() async throws {
        let scene = try Scene()
        _ = try await scene.provider.prepare(scene.work)
        let values = scene.lines("\(scene.work.namespace)/network/terraform.tfvars.json").joined()
        #expect(JSONValue(bytes: Array(values.utf8))["identity"] == "u-1", "\(values)")
    }

    @Test("a shoot whose project has lost its Secrets already goes by the credentials that were good last")
    func lostCredentials() async throws {
        let scene = try Scene()
        _ = try await scene.provider.prepare(scene.work)
        scene.api["/api/v1/namespaces/demo/secrets/aws"] = nil
        #expect(try await failure { _ = try await scene.provider.prepare(scene.work) }.code == .configuration)
        try await scene.provider.remove(try scene.leaving)
        #expect(scene.cloud == [])
    }

    @Test("a key that was changed is kept for the day on which the project is gone, though no cloud was asked with it")
    func otherCredentials() async throws {
        let scene = try Scene()
        _ = try await scene.provider.prepare(scene.work)
        let before = scene.log
        #expect(try await !scene.keepCredentials())
        let metadata = ObjectMetadata(name: "aws", namespace: "demo")
        let data = ["accessKeyID": Array("id".utf8), "secretAccessKey": Array("other".utf8)]
        try scene.api.put(KubernetesSecret(metadata, data: data))
        #expect(try await scene.keepCredentials())
        #expect(try await !scene.keepCredentials())
        // One that is not whole is no other one.
        try scene.api.put(KubernetesSecret(metadata, data: ["accessKeyID": Array("new".utf8)]))
        #expect(try await !scene.keepCredentials())
        let kept = try scene.api.find(KubernetesSecret.self, "cloud-credentials", namespace: scene.work.namespace)
        #expect(kept?.text("accessKeyID") == "id" && kept?.text("secretAccessKey") == "other")
        #expect(scene.log == before)
    }

    @Test("a key that was changed is another one also where it was used first; a shoot that goes keeps it at once")
    func usedCredentials() async throws {
        let scene = try Scene()
        func change(_ key: String) throws {
            let data = ["accessKeyID": Array("id".utf8), "secretAccessKey": Array(key.utf8)]
            try scene.api.put(KubernetesSecret(ObjectMetadata(name: "aws", namespace: "demo"), data: data))
        }
        func kept() throws -> String? {
            try scene.api.find(KubernetesSecret.self, "cloud-credentials", namespace: scene.work.namespace)?
                .text("secretAccessKey")
        }
        _ = try await scene.provider.prepare(scene.work)
        try change("other")
        _ = try await scene.provider.prepare(scene.work)
        #expect(try kept() == "key")
        #expect(try await scene.keepCredentials())
        #expect(try kept() == "other")
        try change("last")
        try await scene.provider.remove(try scene.leaving)
        #expect(try kept() == "last")
    }

    @Test("another program for the network or the machines is another input")
    func programs() throws {
        let scene = try Scene()
        #expect(try scene.provider.inputs(scene.work)["configuration"]?.text?.utf8.count == 64)
        let machines = try scene.provider.machinesConfiguration
        #expect(machines?.utf8.count == 64)
        let task = ShootFlows.reconcile(scene.work, try scene.provider, Rotation())
            .first { $0.name == TaskName.machines }
        #expect(try task?.inputs(FlowRecords())["configuration"]?.text == machines)
    }

    @Test("a pass in which it is not to be asked leaves a cloud alone that all was made in, and only then")
    func pace() async throws {
        let scene = try Scene()
        func pass(_ work: ShootWork, from records: FlowRecords) async throws -> FlowRecords {
            let tasks = ShootFlows.reconcile(work, try scene.provider, Rotation())
                .filter { $0.name == TaskName.infrastructure }
            let runner = FlowRunner(
                tasks: Works.beginnings + tasks,
                observer: StatusWriter(garden: work.garden, shoot: work.shoot, type: .create, logger: Works.silent),
                save: { _ in },
                logger: Works.silent,
                slots: Slots(2),
                isThorough: true
            )
            let outcome = await runner.run(from: records)
            #expect(outcome.errors.isEmpty, "\(outcome.errors)")
            return outcome.records
        }
        var resting = scene.work
        resting.asksCloud = false
        // What was never made is made.
        let made = try await pass(resting, from: FlowRecords())
        let first = scene.log
        #expect(first.contains("apply"))
        let rested = try await pass(resting, from: made)
        #expect(scene.log == first && rested == made && made[TaskName.infrastructure]?["securityGroup"] == "g")
        _ = try await pass(scene.work, from: rested)
        let second = scene.log
        #expect(second.count > first.count)
        // What had begun, or is to become another, was not done with what it is to be done with now.
        var begun = rested
        begun.tasks[TaskName.infrastructure]?.inputs = ""
        _ = try await pass(resting, from: begun)
        let third = scene.log
        #expect(third.count > second.count)
        var other = rested
        other.tasks[TaskName.infrastructure]?.inputs = "other"
        _ = try await pass(resting, from: other)
        #expect(scene.log.count > third.count)
    }

    @Test("machines are not ended because nothing is known of their network")
    func noNetwork() async throws {
        let scene = try Scene()
        _ = try await scene.provider.prepare(scene.work)
        let before = scene.log
        let image = MachineImage(name: "default", program: .init(baked: true))
        let group = MachineGroup(pool: scene.work.facts.spec.workers[0], image: image, userData: [])
        _ = try await failure { _ = try await scene.provider.scale(scene.work, [group], [:]) }
        #expect(scene.log == before)
    }

    @Test("one machine more than before is taken back where it is left over, and never one that is not known of")
    func surge() async throws {
        let calls = Guarded<[String]>([])
        let api = MemoryAPI { request in
            guard request.url == "https://api/" else { return nil }
            calls.withLock { $0.append(String(decoding: request.body, as: UTF8.self)) }
            return HTTPResponse(status: 200)
        }
        let scene = try Scene(api)
        let (provider, work, pool) = (try scene.provider, scene.work, scene.work.facts.spec.workers[0])
        /// What is asked of the cloud, in which the group has so many machines, while something is done.
        func asked(_ desired: Int, _ body: (MachinesSeen) async throws -> Void) async throws -> [String] {
            calls.withLock { $0 = [] }
            try scene.show(desired: desired, addresses: ["10.250.0.7"])
            try await body(try await provider.look(work, [], [:]))
            return calls.withLock { $0 }
        }
        func capacity(_ count: Int) -> [String] {
            [
                "Action=SetDesiredCapacity&AutoScalingGroupName=the-group&DesiredCapacity=\(count)&Version=2011-01-01"
            ]
        }
        func settle(_ seen: MachinesSeen) async throws { try await provider.settle(work, pool) { seen } }
        func grow(_ seen: MachinesSeen) async throws { try await provider.grow(work, pool, to: 3, seen) }
        // What an autoscaler wants stays, and nobody even looks.
        try await provider.settle(work, pool) { throw TaskFailure(.unknown, "looked") }
        #expect(try await asked(2, grow) == capacity(3))
        #expect(try await asked(3, settle) == capacity(2))
        #expect(try await asked(3, settle) == [])
        // Who ends the last machine without a successor may be stopped before that is noted.
        #expect(try await asked(2, grow) == capacity(3))
        #expect(try await asked(2, settle) == [])
        #expect(try await asked(3, settle) == [])
        #expect(try await asked(2, grow) == capacity(3))
        let ended = try await asked(3) {
            try await provider.end(
                work,
                Machine(name: "ip-10-250-0-7", addresses: ["10.250.0.7"]),
                of: pool,
                shrinks: true,
                $0
            )
        }
        #expect(ended.count == 1 && ended[0].contains("ShouldDecrementDesiredCapacity=true"))
        #expect(try await asked(3, settle) == [])
    }

    @Test("a name that is an address is free again once its machine has ended")
    func names() async throws {
        let scene = try Scene()
        try scene.show(desired: 2, addresses: ["10.250.0.7"])
        let now: UInt64 = 1_000_000
        for machine in ["ip-10-250-0-7", "ip-10-250-0-8", "mine"] {
            try scene.api.put(Records.map(machine, expiry: now + 86400))
        }
        let repair = MachineRepair(scene.work, try scene.provider, scene.api.client, [:]) { [] }
        await repair.attend(at: now, isCertain: true)
        #expect(Records.machines(scene.api) == ["ip-10-250-0-7", "mine"])
        // An answer without any machine is rather a wrong one.
        try scene.show(desired: 2, addresses: [])
        await repair.attend(at: now, isCertain: true)
        #expect(Records.machines(scene.api) == ["ip-10-250-0-7", "mine"])
    }

    @Test("other shoots have its place while it runs")
    func places() async throws {
        let scene = try Scene()
        try scene.fail("apply wait")
        let slots = Slots(1)
        async let applied = slots.holding { try await scene.apply() }
        while !scene.log.contains("apply") { try await Task.sleep(.milliseconds(2)) }
        // Otherwise neither would ever end.
        let path = "\(scene.workspace)/go"
        try await slots.holding { try "".write(toFile: path, atomically: true, encoding: .utf8) }
        let made = try await applied
        #expect(made["securityGroup"] == "g")
    }

    @Test("one whose coordinator is told to end is interrupted, and what it made is written down; a newer wish waits")
    func interrupted() async throws {
        let scene = try Scene()
        try scene.fail("apply linger")
        let isEnding = Guarded(false)
        var work = scene.work
        work.isEnding = { isEnding.withLock { $0 } }
        let terraform = Terraform(name: "network", settings: try scene.settings, work: work, credentials: [:])
        let run = Task { try await terraform.apply(Array("x".utf8), [:]) }
        while scene.lines("lingers").isEmpty { try await Task.sleep(.milliseconds(2)) }
        run.cancel()
        // It is asked for twice a second.
        try await Task.sleep(.milliseconds(1200))
        #expect(scene.cloud == [])
        isEnding.withLock { $0 = true }
        let result = await run.result
        #expect(throws: TaskFailure.self) { _ = try result.get() }
        #expect(scene.cloud.count == 1 && scene.log.last == "apply")
        #expect(try scene.keptState?.contains("aws_vpc.shoot") == true)
    }

    @Test("a coordinator whose shoot it is no longer runs nothing, and ends what runs")
    func fence() async throws {
        let scene = try Scene()
        let mayWrite = Guarded(true)
        let work = ShootWork(
            shoot: scene.work.shoot,
            facts: scene.work.facts,
            configuration: scene.work.configuration,
            garden: scene.work.garden,
            seed: scene.work.seed,
            transport: scene.api,
            mayWrite: { mayWrite.withLock { $0 } },
            logger: Works.silent
        )
        try scene.fail("plan hang")
        let terraform = Terraform(name: "network", settings: try scene.settings, work: work, credentials: [:])
        async let applied = terraform.apply(Array("x".utf8), [:])
        while !scene.log.contains("plan") { try await Task.sleep(.milliseconds(2)) }
        mayWrite.withLock { $0 = false }
        let ended = try? await applied
        #expect(ended == nil)
        let before = scene.log
        await #expect(throws: (any Error).self) { _ = try await terraform.apply(Array("x".utf8), [:]) }
        #expect(scene.log == before)
    }
}
