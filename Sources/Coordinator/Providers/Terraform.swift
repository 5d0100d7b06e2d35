internal import ClusterModel
internal import FoundationEssentials
internal import KubernetesClient
internal import LinuxSystem
internal import Logging
package import ShootPlan
package import TendrilCore

/// Runs Terraform or OpenTofu for one shoot; its state is kept in the seed.
package struct Terraform: Sendable {
    private let name: String
    private let settings: CoordinatorConfiguration.Terraform
    private let work: ShootWork
    private let credentials: [String: String]
    /// How long one run may take.
    package var limit = Nanoseconds.seconds(1800)

    private static let stateKey = "terraform.tfstate"
    /// Bounds how many run at the same time: each of them, with its provider's program, takes some hundreds of megabytes.
    private static let runs = Slots(10)

    /// Takes what is run for whom.
    ///
    /// - Parameters:
    ///   - name: of the part; so that no word of it can be mistaken for another shoot's.
    ///   - settings: how Terraform is run.
    ///   - work: whose shoot it is.
    ///   - credentials: what the cloud believes the shoot's owner by.
    package init(
        name: String,
        settings: CoordinatorConfiguration.Terraform,
        work: ShootWork,
        credentials: [String: String]
    ) {
        (self.name, self.settings, self.work, self.credentials) = (name, settings, work, credentials)
    }

    private var directory: String { Self.directory(name, settings, work) }
    private var secret: String { Self.secret(name) }

    private static func directory(
        _ name: String,
        _ settings: CoordinatorConfiguration.Terraform,
        _ work: ShootWork
    ) -> String { "\(settings.workspace)/\(work.namespace)/\(name)" }

    private static func secret(_ name: String) -> String { "terraform-\(name)" }

    /// Whether there may be something that was made.
    static func knows(
        _ name: String,
        _ settings: CoordinatorConfiguration.Terraform,
        _ work: ShootWork
    ) async throws -> Bool {
        let store = SecretStore(seed: work.seed, namespace: work.namespace)
        let isHere = FileStamp("\(directory(name, settings, work))/\(stateKey)") != nil
        return if isHere { true } else { try await store.read(secret(name)) != nil }
    }

    /// Makes the cloud what the configuration says.
    ///
    /// - Returns: the outputs.
    package func apply(_ configuration: [UInt8], _ values: JSONValue) async throws -> JSONValue {
        try await prepare(configuration, values)
        try await keepingState {
            let plan = try await run(["plan", "-input=false", "-no-color", "-lock-timeout=60s", "-out=plan"])
            let summary = plan.split(separator: "\n").last { $0.hasPrefix("Plan:") || $0.hasPrefix("No changes") } ?? ""
            work.logger.notice("terraform", metadata: ["part": "\(name)", "plan": "\(summary)"])
            try await announce()
            _ = try await run(["apply", "-input=false", "-no-color", "-lock-timeout=60s", "plan"])
        }
        guard case .object(let fields) = try await document(["output", "-json", "-no-color"]) else {
            throw TaskFailure(.unknown, "terraform output \(name): no outputs")
        }
        return .object(fields.compactMapValues { $0["value"] })
    }

    /// Removes everything that was made, also what a run could not write down; nothing where none ever began.
    ///
    /// The values name all that the configuration may have made: by them it is found again.
    package func destroy(_ configuration: [UInt8], _ values: JSONValue) async throws {
        guard try await Self.knows(name, settings, work) else { return }
        try await prepare(configuration, values)
        try await keepingState {
            try await takeOver()
            _ = try await run(["destroy", "-auto-approve", "-input=false", "-no-color", "-lock-timeout=60s"])
        }
        try await work.seed.delete(KubernetesSecret.self, secret, namespace: work.namespace)
        // Another shoot of this name begins with nothing; what is left are the provider's programs.
        for file in ["main.tf", "terraform.tfvars.json", Self.stateKey, "\(Self.stateKey).backup", "plan"] {
            DurableFile.remove("\(directory)/\(file)")
        }
    }

    /// Brings into the state what is there and not in it: Terraform does so by itself when it applies, and not when it destroys.
    private func takeOver() async throws {
        _ = try await run(["plan", "-input=false", "-no-color", "-lock-timeout=60s", "-out=plan"])
        let plan = try await document(["show", "-json", "-no-color", "plan"])
        for resource in plan["resource_changes"]?.items ?? [] {
            guard let address = resource["address"]?.text, let id = resource["change"]?["importing"]?["id"]?.text else {
                continue
            }
            work.logger.notice("terraform takes over", metadata: ["resource": "\(address)", "id": "\(id)"])
            _ = try await run(["import", "-input=false", "-no-color", "-lock-timeout=60s", address, id])
        }
    }

    // MARK: - State

    /// Lays out the working directory: the configuration, its values, and the newest state that is known.
    private func prepare(_ configuration: [UInt8], _ values: JSONValue) async throws {
        try DurableFile.makeDirectories(directory, mode: 0o700)
        try DurableFile.write(configuration, to: "\(directory)/main.tf", mode: 0o600)
        try DurableFile.write(
            try CanonicalJSON.bytes(values),
            to: "\(directory)/terraform.tfvars.json",
            mode: 0o600
        )
        let kept = try await SecretStore(seed: work.seed, namespace: work.namespace).read(secret)?[Self.stateKey]
        let path = "\(directory)/\(Self.stateKey)"
        // What a killed run left here may be newer than what came to the seed.
        let here = try? DurableFile.read(path, limit: 16 << 20)
        if let kept, !Self.isNewer(here, than: kept) { try DurableFile.write(kept, to: path, mode: 0o600) }
        _ = try await run(["init", "-input=false", "-no-color"])
    }

    /// Whether a state goes on from another one: the same lineage, and written later.
    private static func isNewer(_ state: [UInt8]?, than other: [UInt8]) -> Bool {
        func facts(_ state: [UInt8]) -> (lineage: String?, serial: Int) {
            let document = try? JSONDecoder().decode(JSONValue.self, from: Data(state))
            return (document?["lineage"]?.text, document?["serial"]?.number ?? -1)
        }
        guard let state else { return false }
        let (mine, theirs) = (facts(state), facts(other))
        return mine.lineage == theirs.lineage && mine.serial >= theirs.serial
    }

    /// Says ahead of the first run that changes anything that there may be traces of it, even where it can write nothing down.
    private func announce() async throws {
        let store = SecretStore(seed: work.seed, namespace: work.namespace)
        if try await store.read(secret) == nil { try await store.write(secret, [:]) }
    }

    /// Copies the state to the seed while something runs, every two seconds, and at its end, whatever that is.
    private func keepingState(_ body: () async throws -> Void) async throws {
        let copying = Task {
            while !Task.isCancelled {
                try? await Task.sleep(.seconds(2))
                try? await keep()
            }
        }
        let result: Result<Void, any Error>
        do {
            result = .success(try await body())
        } catch {
            result = .failure(error)
        }
        copying.cancel()
        await copying.value
        // In a task of its own: what was made has to be known, also where a newer wish has cut this one short.
        try await Task { try await keep() }.value
        try result.get()
    }

    private func keep() async throws {
        // One that is being written is not whole yet.
        guard let state = try? DurableFile.read("\(directory)/\(Self.stateKey)", limit: 16 << 20),
            (try? JSONDecoder().decode(JSONValue.self, from: Data(state)))?["lineage"] != nil
        else { return }
        try await SecretStore(seed: work.seed, namespace: work.namespace).write(secret, [Self.stateKey: state])
    }

    // MARK: - Process

    /// What a run prints, as JSON.
    private func document(_ arguments: [String]) async throws -> JSONValue {
        let text = try await run(arguments)
        do {
            return try JSONDecoder().decode(JSONValue.self, from: Data(text.utf8))
        } catch {
            throw TaskFailure(.unknown, "terraform \(arguments[0]) \(name): no JSON: \(CloudFailure.summary(text))")
        }
    }

    private func run(_ arguments: [String]) async throws -> String {
        let outcome = try await Slots.aside { try await Self.runs.holding { try await execute(arguments) } }
        guard outcome.isSuccess else {
            let summary = CloudFailure.summary(outcome.output)
            throw TaskFailure(CloudFailure.code(outcome.output), "terraform \(arguments[0]) \(name): \(summary)")
        }
        return outcome.output
    }

    private func execute(_ arguments: [String]) async throws -> ChildProcess.Outcome {
        guard work.mayWrite() else {
            throw TaskFailure(.unknown, "not run, for another coordinator takes care of the shoot")
        }
        let command = ["-chdir=\(directory)"] + arguments
        let isCancelled = Guarded(false)
        let verdict: @Sendable () -> ChildProcess.Verdict = { [work] in
            guard work.mayWrite() else { return .kill }
            // A newer wish waits until what runs has ended.
            let isLeft = isCancelled.withLock { $0 }
            return isLeft && work.isEnding() ? .interrupt : .goOn
        }
        let (program, environment, limit) = (settings.program, environment, limit)
        do {
            return try await withTaskCancellationHandler {
                try await Blocking.run("terraform") {
                    try ChildProcess.run(
                        program,
                        command,
                        environment: environment,
                        timeout: limit,
                        limit: 16 << 20,
                        verdict: verdict
                    )
                }
            } onCancel: {
                isCancelled.withLock { $0 = true }
            }
        } catch let error as SystemError where error.isTimeout && verdict() == .goOn {
            let seconds = limit.seconds
            throw TaskFailure(
                .timeout,
                "terraform \(arguments[0]) \(name): was ended, for it took more than \(seconds) s"
            )
        }
    }

    private var environment: [String] {
        var variables = [
            "HOME": directory, "TF_IN_AUTOMATION": "1", "TF_INPUT": "0", "CHECKPOINT_DISABLE": "1",
            "AWS_EC2_METADATA_DISABLED": "true", "TF_DATA_DIR": "\(directory)/.terraform",
        ].merging(credentials) { $1 }
        variables["TF_CLI_CONFIG_FILE"] = settings.configuration
        variables["AWS_ENDPOINT_URL"] = settings.endpoint
        return ChildProcess.environment + variables.map { "\($0.key)=\($0.value)" }
    }
}
