import ClusterModel
import ShootSamples
import TendrilCore
import Testing

/// What somebody wants of a shoot.
enum Wish: String, CaseIterable, CustomTestStringConvertible {
    case create
    case patchRelease
    case minorRelease
    case otherKubelets
    case moreMachines
    case fewerMachines
    case otherMachines
    case sleep
    case wake
    case rotate
    case completeRotation
    case restore
    case delete

    var testDescription: String { rawValue }

    /// What has to be so before, besides that there is a shoot.
    private var earlier: Wish? {
        switch self {
        case .fewerMachines: .moreMachines
        case .wake: .sleep
        case .completeRotation: .rotate
        default: nil
        }
    }

    /// A world with a shoot, made once for all who begin with one.
    private static let made = Task { try await Wish.create.granted(in: try begin()).world }

    /// A world in which it is asked for.
    func asked() async throws -> World {
        guard self != .create else { return try Self.begin() }
        var world = try await Self.made.value
        if let earlier { world = try await earlier.granted(in: earlier.asked(of: world)).world }
        world.forgetHistory()
        return asked(of: world)
    }

    /// Has a coordinator do it that nothing happens to.
    ///
    /// - Parameters:
    ///   - world: in which it is asked for.
    ///   - lacksGarden: whether the garden is away while it is done.
    /// - Returns: the server with the world that it has become.
    /// - Throws: where it is not done, something is done twice, or there is something to complain about.
    func granted(in world: World, lacksGarden: Bool = false) async throws -> WorldServer {
        let server = WorldServer(world, lacksGarden: lacksGarden)
        let outcome = try await Life.run(server, until: isDone)
        try #require(outcome.isDone && outcome.complaints.isEmpty && outcome.repeated.isEmpty, "\(self): \(outcome)")
        return server
    }

    /// A world in which it is asked for, whatever was asked for before.
    func asked(of world: World) -> World {
        var world = world
        ask(&world)
        return world
    }

    /// A world with a shoot that nobody has seen yet.
    private static func begin() throws -> World {
        let shoot = try Samples.shoot {
            ($0.metadata.generation, $0.metadata.uid) = (1, "u1")
            $0.spec.kubernetes.version = "1.33.1"
            ($0.spec.workers[0].minimum, $0.spec.workers[0].maximum) = (2, 2)
        }
        let seed: JSONValue = ["metadata": ["name": "here"], "spec": try CanonicalJSON.value(try Samples.seed)]
        return World([
            World.shootPath: try CanonicalJSON.value(shoot), "/apis/tendril.dev/v1alpha1/seeds/here": seed,
        ])
    }

    private func ask(_ world: inout World) {
        func pool(_ change: JSONValue) -> JSONValue {
            let known = world.shootDocument?["spec"]?["workers"]?.items.first ?? [:]
            return ["spec": ["workers": [known.merging(change)]]]
        }
        func operation(_ operation: ShootOperation) -> JSONValue {
            ["metadata": ["annotations": [ShootAnnotation.operation: .string(operation.rawValue)]]]
        }
        switch self {
        case .create: break
        case .patchRelease: world.change(["spec": ["kubernetes": ["version": "1.33.2"]]])
        case .minorRelease: world.change(["spec": ["kubernetes": ["version": "1.34.0"]]])
        case .otherKubelets: world.change(pool(["labels": ["a": "b"], "kubelet": ["maxPods": 50]]))
        case .moreMachines: world.change(pool(["minimum": 3, "maximum": 3]))
        case .fewerMachines: world.change(pool(["minimum": 1, "maximum": 1]))
        case .otherMachines: world.change(pool(["machineType": "large", "maximum": 3]))
        case .sleep: world.change(["spec": ["hibernation": ["enabled": true]]])
        case .wake: world.change(["spec": ["hibernation": ["enabled": false]]])
        case .rotate: world.change(operation(.rotateStart))
        case .completeRotation: world.change(operation(.rotateComplete))
        case .restore:
            world.save()
            world.put(["metadata": ["name": "forgotten", "namespace": "default"]], inShoot: Self.forgotten)
            let seed = "/apis/tendril.dev/v1alpha1/seeds/here"
            world.put((world.seed[seed] ?? [:]).merging(["spec": ["snapshots": World.snapshots]]), inSeed: seed)
            world.put(
                ["metadata": ["name": "snapshots"], "data": ["accessKeyID": "aWQ=", "secretAccessKey": "a2V5"]],
                inSeed: "/api/v1/namespaces/tendril-system/secrets/snapshots"
            )
            world.change(operation(.restore))
        case .delete: world.delete()
        }
    }

    /// What came after the snapshot.
    private static let forgotten = "/api/v1/namespaces/default/configmaps/forgotten"

    /// Whether a world says that it is so.
    @Sendable func isDone(_ world: World) -> Bool {
        guard self != .delete else { return world.shootDocument == nil }
        let (shoot, status) = (world.shootDocument, world.shootDocument?["status"])
        let phase: RotationPhase? = self == .rotate ? .prepared : self == .completeRotation ? .completed : nil
        let isRestored =
            status?["restoration"]?["phase"]?.text == RestorationPhase.completed.rawValue
            && world.shoot[Self.forgotten] == nil
        return status?["lastOperation"]?["state"]?.text == ShootStatus.OperationState.succeeded.rawValue
            && status?["observedGeneration"] == shoot?["metadata"]?["generation"]
            && shoot?["metadata"]?["annotations"]?[ShootAnnotation.operation] == nil
            && (self != .restore || isRestored)
            && (phase == nil || status?["credentialRotation"]?["phase"]?.text == phase?.rawValue)
    }
}
