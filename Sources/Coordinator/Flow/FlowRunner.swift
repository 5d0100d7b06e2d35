package import ClusterModel
package import KubernetesClient
internal import LinuxSystem
package import Logging
package import ShootPlan
internal import TendrilCore

/// Hears how far a flow is.
package protocol FlowObserver: Sendable {
    /// Something began or ended.
    func progressed(_ percent: Int, running: [String]) async
}

/// What came of a flow.
package struct FlowOutcome: Sendable {
    /// What was done, now or before.
    package var records: FlowRecords
    /// Which tasks failed, and why.
    package var errors: [ShootStatus.TaskError]
    /// How many tasks were done, and not found done.
    package var performed: Int
    /// How many of a hundred tasks are done, now or before.
    package var progress: Int
}

/// Runs the tasks of a flow: side by side where they need nothing of one another, none that was done before.
package struct FlowRunner: Sendable {
    private let tasks: [ShootTask]
    private let observer: any FlowObserver
    private let save: @Sendable (FlowRecords) async throws -> Void
    private let logger: Logger
    private let slots: Slots
    private let isThorough: Bool
    /// How long to wait before a task is tried again.
    package var pauses: Backoff

    /// How often a task is done until the flow goes on without it.
    private static let attempts = 4

    private enum Ending: Sendable {
        case done(FlowRecords.Record)
        case failed(ShootStatus.ErrorCode, String)
    }

    /// Takes what is to be done.
    ///
    /// - Parameters:
    ///   - tasks: of the flow.
    ///   - observer: hears how far it is.
    ///   - save: writes down what was done after each task.
    ///   - logger: hears what was done, and what failed.
    ///   - slots: bounds what all shoots do at the same time.
    ///   - isThorough: whether tasks run again although nothing changed.
    ///   - pauses: how long to wait before a task is tried again.
    package init(
        tasks: [ShootTask],
        observer: any FlowObserver,
        save: @escaping @Sendable (FlowRecords) async throws -> Void,
        logger: Logger,
        slots: Slots,
        isThorough: Bool,
        pauses: Backoff = Backoff(start: .seconds(1), limit: .seconds(8))
    ) {
        (self.tasks, self.observer, self.save, self.logger) = (tasks, observer, save, logger)
        (self.slots, self.isThorough, self.pauses) = (slots, isThorough, pauses)
    }

    /// Runs until every task is done, or none can go on; cancelling the Swift task ends it early.
    package func run(from start: FlowRecords) async -> FlowOutcome {
        let byName = Dictionary(uniqueKeysWithValues: tasks.map { ($0.name, $0) })
        var machine = FlowMachine(TaskGraph(tasks.map(\.item)))
        var outcome = FlowOutcome(records: start, errors: [], performed: 0, progress: 0)
        await withTaskGroup(of: (String, Ending).self) { group in
            while true {
                for (task, digest) in await startable(&machine, &outcome, byName) {
                    let records = outcome.records
                    group.addTask { (task.name, await end(task, digest, records)) }
                }
                // A flow in which everything is found done says nothing.
                if !machine.running.isEmpty {
                    await observer.progressed(machine.progress, running: titles(machine.running, byName))
                }
                guard let (name, ending) = await group.next() else { return }
                await settle(name, ending, &machine, &outcome)
            }
        }
        outcome.progress = machine.progress
        return outcome
    }

    /// The tasks to start now, each with the digest of its inputs; those that are found done are passed by.
    ///
    /// What is known of one that is to change something counts no more from here on, for it may be stopped half-way.
    private func startable(
        _ machine: inout FlowMachine,
        _ outcome: inout FlowOutcome,
        _ tasks: [String: ShootTask]
    ) async -> [(ShootTask, digest: String)] {
        var startable: [(ShootTask, digest: String)] = []
        var names = Task.isCancelled ? [] : machine.start()
        while !names.isEmpty {
            for task in names.compactMap({ tasks[$0] }) {
                do {
                    let digest = try task.inputs(outcome.records).digest()
                    if !isThorough, outcome.records.isDone(task.name, inputs: digest) {
                        machine.finish(task.name)
                        continue
                    }
                    if let known = outcome.records.tasks[task.name]?.inputs, !known.isEmpty, known != digest {
                        try await doubt(task.name, &outcome)
                    }
                    startable.append((task, digest))
                } catch {
                    await settle(task.name, ended(task, error), &machine, &outcome)
                }
            }
            names = machine.start()
        }
        return startable
    }

    private func settle(
        _ name: String,
        _ ending: Ending,
        _ machine: inout FlowMachine,
        _ outcome: inout FlowOutcome
    ) async {
        switch ending {
        case .done(let record):
            machine.finish(name)
            outcome.performed += 1
            outcome.records.tasks[name] = record
            do {
                try await save(outcome.records)
            } catch {
                // It is done all the same; at worst it is done a second time.
                logger.warning("cannot write down what was done", metadata: ["reason": "\(error)"])
            }
        case .failed(let code, let reason):
            machine.fail(name)
            outcome.errors.append(
                ShootStatus.TaskError(
                    task: name,
                    code: code,
                    description: reason,
                    lastUpdateTime: KubernetesTime.text(seconds: Clock.unixTime())
                )
            )
            // Whoever starts anew knows of no thorough pass, and is not to find it done.
            guard !Task.isCancelled, outcome.records.isUnchanged(name) else { return }
            do {
                try await doubt(name, &outcome)
            } catch {
                logger.warning("cannot write down what failed", metadata: ["reason": "\(error)"])
            }
        }
    }

    /// Has what is known of a task count no more, and writes that down.
    private func doubt(_ name: String, _ outcome: inout FlowOutcome) async throws {
        outcome.records = outcome.records.doubting([name])
        try await save(outcome.records)
    }

    private func titles(_ names: [String], _ tasks: [String: ShootTask]) -> [String] {
        names.compactMap { tasks[$0]?.title }
    }

    private func end(_ task: ShootTask, _ digest: String, _ records: FlowRecords) async -> Ending {
        let start = Clock.now()
        var backoff = pauses
        var attempts = 1
        while true {
            do {
                let output = try await slots.holding(unless: task.isWaiting) { try await task.perform(records) }
                logger.info(
                    "done",
                    metadata: ["task": "\(task.name)", "milliseconds": "\(Clock.now().since(start).milliseconds)"]
                )
                return .done(FlowRecords.Record(inputs: digest, output: output))
            } catch {
                // Other tasks may wait for long, and the flow with them: what an API refused for a moment is asked again at once.
                guard let refusal = error as? APIError, refusal.isRetryable, attempts < Self.attempts, !Task.isCancelled
                else { return ended(task, error) }
                attempts += 1
                logger.info("tried again", metadata: ["task": "\(task.name)", "reason": "\(refusal)"])
                let pause = backoff.wait(atLeast: .seconds(UInt64(min(refusal.retryAfter ?? 0, 30))))
                try? await Task.sleep(pause)
            }
        }
    }

    private func ended(_ task: ShootTask, _ error: any Error) -> Ending {
        let (code, reason) = Self.explain(error)
        if !Task.isCancelled {
            logger.warning("task failed", metadata: ["task": "\(task.name)", "reason": "\(reason)"])
        }
        return .failed(code, reason)
    }

    private static func explain(_ error: any Error) -> (ShootStatus.ErrorCode, String) {
        switch error {
        case let failure as TaskFailure: (failure.code, failure.description)
        case let failure as APIError: (.api, failure.description)
        case is CancellationError: (.unknown, "was interrupted")
        default: (.unknown, "\(error)")
        }
    }
}
