import ClusterModel
import Coordinator
import FoundationEssentials
import HTTPModel
import KubernetesClient
import LinuxSystem
import Logging
import ShootPlan
import TendrilCore

/// One life of a coordinator: from its start until all is done, or until it is killed.
struct Life {
    /// What came of it.
    struct Outcome: Sendable {
        /// The tasks that were done.
        var tasks: [String] = []
        /// Those that were done although it was written down that they were.
        var repeated: [String] = []
        /// What it complained about.
        var complaints: [String] = []
        /// Whether it ended with all done.
        var isDone = false
    }

    private let server: WorldServer
    private let heard = Guarded(Outcome())
    /// Nanoseconds; a busy machine may need some of them, one that hangs needs more.
    private static let limit: UInt64 = 20_000_000_000
    private let settings: JSONValue
    private let endured: Set<String>

    private init(_ server: WorldServer, _ settings: JSONValue, _ endured: Set<String>) {
        (self.server, self.settings, self.endured) = (server, settings, endured)
    }

    /// Has a coordinator work on a world until that is as it is wanted; the world is the server's then.
    ///
    /// - Parameters:
    ///   - server: of the world.
    ///   - settings: of the coordinator, besides those that all have here.
    ///   - endured: what it may complain about.
    ///   - isDone: whether a world is as it is wanted; asked after each flow, and where something may be complained about whenever the
    ///     Shoot has changed.
    /// - Returns: what was done.
    /// - Throws: where a coordinator cannot begin.
    static func run(
        _ server: WorldServer,
        with settings: JSONValue = [:],
        enduring endured: Set<String> = [],
        until isDone: @escaping @Sendable (World) -> Bool
    ) async throws -> Outcome {
        try await Life(server, settings, endured).run(until: isDone)
    }

    private func run(until isDone: @escaping @Sendable (World) -> Bool) async throws -> Outcome {
        let (ends, end) = AsyncStream.makeStream(of: Void.self)
        let (changes, change) = AsyncStream.makeStream(of: Shoot.self)
        let environment = try environment { event in
            hear(event)
            guard isEnd(event), isDone(server.world) else {
                // Who has something to complain about may try again for minutes; it is wrong already.
                if isComplaint(event) { end.finish() }
                return
            }
            succeed(end)
        }
        let timer = Task {
            for _ in 0..<(Self.limit / 10_000_000) where !server.isDead {
                try await Task.sleep(.milliseconds(10))
            }
            end.finish()
        }
        let following = Task {
            await follow(changes, environment) {
                if !endured.isEmpty, isDone(server.world) { succeed(end) }
            }
        }
        server.follow { change.yield($0) }
        for await _ in ends {}
        timer.cancel()
        change.finish()
        await following.value
        return heard.withLock { $0 }
    }

    private func succeed(_ end: AsyncStream<Void>.Continuation) {
        heard.withLock { $0.isDone = true }
        end.finish()
    }

    /// Keeps a loop for the shoot until nothing is heard any more; another one once the shoot has a seed, for that may be
    /// another process's to look after.
    private func follow(
        _ changes: AsyncStream<Shoot>,
        _ environment: CoordinatorEnvironment,
        _ hasChanged: @Sendable () -> Void
    ) async {
        var loop: ShootLoop?
        var isPlaced = false
        for await shoot in changes {
            if let known = loop, !isPlaced, shoot.spec.seedName != nil {
                await known.end()
                loop = nil
            }
            isPlaced = shoot.spec.seedName != nil
            let current = loop ?? ShootLoop(shoot, environment)
            loop = current
            await current.observe(shoot)
            hasChanged()
        }
        await loop?.end()
    }

    private func environment(_ hear: @escaping @Sendable (LogEvent) -> Void) throws -> CoordinatorEnvironment {
        let logger = Logger(label: "life") { _ in Ear(hear: hear) }
        let client = server.client
        let machines: JSONValue = ["machineImages": [["name": "default", "program": ["baked": true]]]]
        var environment = CoordinatorEnvironment(
            configuration: try Works.configuration(machines.merging(settings)),
            garden: client,
            seed: client,
            seedVersion: Works.seedVersion,
            transport: server,
            peers: Peers(client: client, seed: "here", namespace: "tendril-system", place: "a", logger: Works.silent),
            logger: logger,
            slots: Slots(4),
            counts: CoordinatorCounts(),
            places: SeedPlaces("here")
        )
        // Here what is told to end has ended.
        environment.serverGrace = .seconds(0)
        return environment
    }

    private func hear(_ event: LogEvent) {
        if event.message == WorldServer.unread { server.gaveUp() }
        let task = event.metadata?["task"].map { "\($0)" }
        if event.message == "done", let task {
            let isKnown = isWrittenDown(task)
            heard.withLock {
                $0.tasks.append(task)
                if isKnown { $0.repeated.append(task) }
            }
        }
        if isComplaint(event), !server.isDead {
            heard.withLock { $0.complaints.append("\(event.message) \(event.metadata ?? [:])") }
        }
    }

    private func isComplaint(_ event: LogEvent) -> Bool {
        event.level >= .warning && !(server.lacksGarden && event.message == WorldServer.unread)
            && !endured.contains("\(event.message)")
    }

    /// Whether this is the end of a flow, or of all.
    private func isEnd(_ event: LogEvent) -> Bool {
        let message = "\(event.message)"
        return message.hasSuffix(" done") || message == "deleted"
    }

    /// Whether a task is written down as done with what it is to be done with now.
    private func isWrittenDown(_ task: String) -> Bool {
        let notebook = server.world.seed["/api/v1/namespaces/\(World.home)/configmaps/tendril-flow"]
        guard let text = notebook?["data"]?["records.json"]?.text,
            let known = JSONValue(bytes: Array(text.utf8))["tasks"]?[task]
        else { return false }
        return known["inputs"] != ""
    }
}

/// Hears what is logged.
private struct Ear: LogHandler {
    let hear: @Sendable (LogEvent) -> Void
    var logLevel = Logger.Level.info
    var metadata: Logger.Metadata = [:]

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) { hear(event) }
}
