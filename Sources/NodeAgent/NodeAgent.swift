package import ClusterModel
internal import Glibc
internal import HTTPModel
internal import HTTPTransfer
internal import KubernetesClient
internal import LinuxSystem
package import Logging
package import NodePlan
internal import Observability
internal import StrictYAML
internal import TendrilCore

/// The agent's entry.
package enum NodeAgent {
    /// Reads and judges a configuration file.
    package static func configuration(_ path: String) throws -> AgentConfiguration {
        try StrictDecoder.decode(AgentConfiguration.self, from: try DurableFile.read(path), judge: \.problems)
    }

    /// A logger as the configuration wants it.
    package static func logger(_ configuration: AgentConfiguration) -> Logger {
        let level = configuration.logLevel.flatMap(Logger.Level.init(rawValue:)) ?? .info
        let format = configuration.logFormat.flatMap(LogFormat.init(rawValue:)) ?? .text
        return Logger(label: "tendril-agent") { LogOutput(label: $0, level: level, format: format) }
    }

    /// Runs the phases once.
    ///
    /// - Returns: the phase that failed with its failure; `nil` where all are done.
    /// - Throws: what keeps the agent from beginning.
    package static func bootstrap(_ configuration: AgentConfiguration) async throws -> (BootstrapPhase, AgentFailure)? {
        let context = try AgentContext(configuration, transport: HTTPTransfer(), logger: logger(configuration))
        let bootstrap = try Bootstrap(context)
        do throws(AgentFailure) {
            _ = try await bootstrap.run()
            return nil
        } catch {
            return (bootstrap.state.phase, error)
        }
    }

    /// What would be done to the machine for the generation that is wanted, a line each.
    ///
    /// Nothing is changed.
    package static func dryRun(_ configuration: AgentConfiguration) async throws -> [String] {
        let context = try AgentContext(configuration, transport: HTTPTransfer(), logger: logger(configuration))
        guard let pem = try context.files.read(AgentPaths.identity),
            let identity = AgentIdentity(pem: pem, of: context.identity),
            let authority = try context.files.read(AgentPaths.authority)
        else {
            let phases = BootstrapPhase.allCases.dropLast().map(\.rawValue).joined(separator: ", ")
            return [
                "The machine has no identity yet, with which to read what is wanted of it.",
                "It would run the phases \(phases).",
            ]
        }
        let client = context.client(trust: authority, as: identity.credential)
        let wanted = try await DesiredState(context, client).fetch()
        let access = ClusterAccess(client: client, authority: authority, identity: identity)
        let plan = try await Generations(context, access).plan(wanted)
        guard !plan.isEmpty else { return ["Generation \(wanted.generation) is in force; nothing would be done."] }
        return ["For generation \(wanted.generation):"] + plan.steps.map { "  " + Reset.words($0) }
    }

    /// Runs the phases, as often as it takes, and then keeps the node as it is wanted, until SIGTERM or SIGINT.
    package static func run(_ configuration: AgentConfiguration) async throws {
        Privileges.forbidDumps()
        EndSignal.expect()
        let context = try AgentContext(configuration, transport: HTTPTransfer(), logger: logger(configuration))
        context.logger.info(
            "starting",
            metadata: [
                "version": "\(Version.text)", "machine": "\(context.identity.machine)",
                "pool": "\(context.identity.pool)",
            ]
        )
        context.service.notify("READY=1")
        let work = Task {
            await withDiscardingTaskGroup { group in
                group.addTask { await keepWatchdogCalm(context.service) }
                group.addTask { await serveMetrics(context) }
                group.addTask { await join(context) }
            }
        }
        await EndSignal.wait()
        context.service.notify("STOPPING=1")
        work.cancel()
    }

    private static func serveMetrics(_ context: AgentContext) async {
        guard let text = context.configuration.metrics, let address = Endpoint(text) else { return }
        await AgentMetrics.serve(address, logger: context.logger)
    }

    private static func join(_ context: AgentContext) async {
        var backoff = Backoff(start: .seconds(1), limit: .seconds(60))
        while !Task.isCancelled {
            do {
                let bootstrap = try Bootstrap(context)
                let access = try await bootstrap.run()
                context.logger.notice("the machine is a node")
                return await Supervisor(context, access, bootstrap).run()
            } catch {
                let failure = AgentFailure(error, doing: "begin")
                context.logger.error("\(failure.message)", metadata: ["cause": "\(failure.cause.rawValue)"])
                await FaultWatch(context).pause(failure.probe, atMost: backoff.wait())
            }
        }
    }

    private static func keepWatchdogCalm(_ service: ServiceManager) async {
        guard let period = service.watchdogMilliseconds else { return }
        while !Task.isCancelled {
            service.notify("WATCHDOG=1")
            try? await Task.sleep(.milliseconds(UInt64(period)))
        }
    }
}
