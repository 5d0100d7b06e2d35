import ClusterModel
import CommandSupport
import KubernetesClient
import LinuxSystem
import ShootPlan
import StrictYAML
import TendrilCore

/// Puts a coordinator into a cluster, and takes it out again; says each step.
struct Installer {
    private static let patience = Nanoseconds.seconds(180)

    let client: KubernetesClient
    private let progress = StepLog()

    init(client: KubernetesClient) { self.client = client }

    /// The shoots that a seed hosts, or is to host; none where there is no such kind.
    func shoots(of seed: String) async throws -> [Shoot] {
        try await all(Shoot.self).filter { $0.isOf(seed: seed) }
    }

    /// The seed that the coordinator in this cluster takes care of; `nil` where there is none.
    var served: String? {
        get async throws {
            let found = try await answered { () async throws(APIError) in
                try await client.findDocument(SeedInstallation.configurationMap)
            }
            guard let text = found?["data"]?[SeedInstallation.configurationFile]?.text else { return nil }
            return try? YAMLParser.parse(Array(text.utf8)).json["seed"]?.text
        }
    }

    /// Applies everything; what is there already becomes what is said.
    func install(_ installation: SeedInstallation, seed: JSONValue) async throws {
        try await apply(try GardenManifests.all(), "the kinds Shoot and Seed")
        let applied = try await apply(installation.foundation, "namespace, rights and configuration")
        let version = applied.last?["metadata"]?["resourceVersion"]?.text ?? ""
        // A kind is served a moment after it is defined.
        try await until("the kind Seed is served") {
            do throws(APIError) {
                try await client.serverSideApply(seed, manager: "tendril")
                return nil
            } catch {
                guard error.isNotFound else { throw Failure(error, exitCode: .unavailable) }
                return "\(error)"
            }
        }
        progress.say("the Seed \(seed["metadata"]?["name"]?.text ?? "")")
        try await apply(installation.workload(configurationVersion: version), "the coordinator")
    }

    /// Waits until the coordinator's pods run, and one of them says that it takes care of the seed.
    func await(_ seed: String) async throws {
        try await until("the coordinator runs") {
            let deployment = try await answered { () async throws(APIError) in
                try await client.document(SeedInstallation.deployment)
            }
            guard let problem = RolloutState(deployment).problem else { return nil }
            return try await podProblem ?? problem
        }
        let begin = Clock.unixTime()
        try await until("the seed \(seed) is taken care of") {
            let ready = try await answered { () async throws(APIError) in try await client.get(Seed.self, seed) }
                .status?.conditions?[Seed.ready]
            let heartbeat = ready?.lastHeartbeatTime.flatMap { KubernetesTime.seconds($0) } ?? 0
            guard heartbeat >= begin else { return "no coordinator has said so yet" }
            return ready?.status == "True" ? nil : ready?.message ?? ""
        }
    }

    /// Takes away the coordinator, its rights, the Seed, and our kinds where nobody else uses them.
    func remove(_ base: [JSONValue], seed: String) async throws {
        let others = try await all(Seed.self).map(\.name).filter { $0 != seed }.sorted()
        let removed = SeedInstallation.removed(base, others: !others.isEmpty)
        for document in removed { try await delete(document) }
        try await until("the coordinator and its rights are gone") {
            for document in removed where try await isThere(document) {
                return "\(document["kind"]?.text ?? "") is still there"
            }
            return nil
        }
        if !others.isEmpty {
            let names = others.joined(separator: ", ")
            progress.say("the namespace \(SeedInstallation.namespace) and the coordinators' role stay, for \(names)")
        }
        let wasThere = try await answered { () async throws(APIError) in try await client.delete(Seed.self, seed) }
        progress.say(wasThere ? "the Seed \(seed) is gone" : "there is no Seed \(seed)")
        guard try await all(Shoot.self).isEmpty, try await all(Seed.self).isEmpty else {
            return progress.say("the kinds Shoot and Seed stay: they are used")
        }
        let definitions = try GardenManifests.all()
        for definition in definitions { try await delete(definition) }
        try await until("the kinds Shoot and Seed are gone") {
            for definition in definitions where try await isThere(definition) { return "their last objects go" }
            return nil
        }
    }

    @discardableResult
    private func apply(_ documents: [JSONValue], _ what: String) async throws -> [JSONValue] {
        var applied: [JSONValue] = []
        for document in documents {
            applied.append(
                try await answered { () async throws(APIError) in
                    try await client.serverSideApply(document, manager: "tendril")
                }
            )
        }
        progress.say(what)
        return applied
    }

    private func delete(_ document: JSONValue) async throws {
        guard let path = ObjectPath.path(of: document) else { return }
        try await answered { () async throws(APIError) in _ = try await client.deleteDocument(path) }
    }

    private func isThere(_ document: JSONValue) async throws -> Bool {
        guard let path = ObjectPath.path(of: document) else { return false }
        return try await answered { () async throws(APIError) in try await client.findDocument(path) } != nil
    }

    private func all<Object: KubernetesObject>(_ type: Object.Type) async throws -> [Object] {
        do throws(APIError) {
            return try await client.list(type).items
        } catch {
            guard error.isNotFound else { throw Failure(error, exitCode: .unavailable) }
            return []
        }
    }

    /// Why a pod of the coordinator does not start, in the words of its node.
    private var podProblem: String? {
        get async throws {
            let path = "/api/v1/namespaces/\(SeedInstallation.namespace)/pods"
            let pods = try await answered { () async throws(APIError) in try await client.document(path) }
            let waiting = (pods["items"]?.items ?? []).flatMap { $0["status"]?["containerStatuses"]?.items ?? [] }
                .compactMap { $0["state"]?["waiting"] }
            guard let reason = waiting.compactMap({ $0["reason"]?.text }).first(where: { $0 != "ContainerCreating" })
            else { return nil }
            return "\(reason): \(waiting.compactMap { $0["message"]?.text }.first ?? "")"
        }
    }

    /// Asks until there is no reason against it any more.
    private func until(_ what: String, _ reason: () async throws -> String?) async throws {
        let deadline = Clock.now() + Self.patience
        while let reason = try await reason() {
            guard Clock.now() < deadline else {
                let text = "waited \(Self.patience.seconds) s until \(what): \(reason)"
                throw Failure(text, exitCode: .unavailable)
            }
            try await Task.sleep(.milliseconds(500))
        }
        progress.say(what)
    }
}

/// Steps of a long command, each with the seconds since its beginning.
private struct StepLog {
    private let begin = Clock.now()

    func say(_ text: String) {
        print("[\(Clock.now().since(begin).seconds) s] \(text)")
        Terminal.flush()
    }
}
