import ClusterModel
import HTTPModel
import LinuxSystem
import Logging
import TendrilCore

/// Carries requests to a world, and keeps the world as it was after each of those that changed something.
final class WorldServer: TestAPI {
    /// A world just after a change.
    struct Moment: Sendable {
        let world: World
        /// What was changed.
        let path: String

        /// Of which kind that was, and where.
        var kind: String {
            String(path.prefix(path.lastIndex(of: "/").map { path.distance(from: path.startIndex, to: $0) } ?? 0))
        }
    }

    private struct State {
        var world: World
        var moments: [Moment] = []
        var follower: (@Sendable (Shoot) -> Void)?
        /// How many changes are answered; nothing is, afterwards.
        var remaining = Int.max
        /// How many changes are left until somebody pauses the shoot.
        var untilPause: Int
        var isGardenAway: Bool
        /// Whether somebody wanted to tell the garden that all is done while it was away.
        var hasMissedTheEnd = false
    }

    /// What a coordinator says whose report reaches nobody.
    static let unread: Logger.Message = "cannot write the status"

    private let state: Guarded<State>
    /// Whether the garden was away at first.
    let lacksGarden: Bool

    /// Begins with a world.
    ///
    /// - Parameters:
    ///   - world: as it is found.
    ///   - changes: how many changes are taken before whoever sends them is dead.
    ///   - pause: after how many changes somebody pauses the shoot.
    ///   - lacksGarden: whether the garden is away until somebody has given up telling it that all is done.
    init(_ world: World, until changes: Int = .max, pausedAfter pause: Int = .max, lacksGarden: Bool = false) {
        self.lacksGarden = lacksGarden
        state = Guarded(State(world: world, remaining: changes, untilPause: pause, isGardenAway: lacksGarden))
    }

    /// As it is now.
    var world: World { state.withLock(\.world) }
    /// As it was after each change, from the beginning on.
    var moments: [Moment] { state.withLock(\.moments) }
    /// Whether who sends requests here is dead.
    var isDead: Bool { state.withLock { $0.remaining <= 0 } }

    /// Whether the shoot is paused.
    var isPaused: Bool {
        world.shootDocument?["metadata"]?["annotations"]?[ShootAnnotation.pause] == "true"
    }

    /// Somebody ends the pause of the shoot.
    func resume() {
        state.withLock { state in
            state.world.pause(false)
            if let shoot = state.world.shootDocument.flatMap(Self.shoot) { state.follower?(shoot) }
        }
    }

    /// Has the Shoot be heard of at once, and whenever it changes; until another one does.
    func follow(_ tell: @escaping @Sendable (Shoot) -> Void) {
        let document = state.withLock { state in
            state.follower = tell
            return state.world.shootDocument
        }
        if let shoot = document.flatMap(Self.shoot) { tell(shoot) }
    }

    /// Who had something to tell the garden has given up; that comes back once it has missed that all is done.
    func gaveUp() { state.withLock { if $0.hasMissedTheEnd { $0.isGardenAway = false } } }

    func send(_ request: HTTPRequest, _ security: HTTPSecurity) async throws(TransferError) -> HTTPResponse {
        if isInterrupted(request) {
            while !Task.isCancelled { try? await Task.sleep(.milliseconds(1)) }
            throw TransferError(.cancelled, url: request.url, reason: "something newer came")
        }
        let answer = isDead ? nil : state.withLock { state in Self.answer(request, &state) }
        if let answer, !isDead { return try answer.get() }
        // The dead hear of nothing, also not of what they have just done.
        try? await Task.sleep(.seconds(60))
        throw TransferError(.cancelled, url: request.url, reason: "who asked is dead")
    }

    /// Whether somebody changes the Shoot while this is asked, and does so, once.
    private func isInterrupted(_ request: HTTPRequest) -> Bool {
        state.withLock { state in
            guard state.world.isInterrupted, World.isOfStore(request) else { return false }
            state.world.isInterrupted = false
            state.world.change(["metadata": ["annotations": ["example.com/note": "news"]]])
            if let shoot = state.world.shootDocument.flatMap(Self.shoot) { state.follower?(shoot) }
            return true
        }
    }

    private static func answer(_ request: HTTPRequest, _ state: inout State) -> Result<HTTPResponse, TransferError> {
        if state.isGardenAway, World.isOfGarden(request) {
            let operation = JSONValue(bytes: request.body)["status"]?["lastOperation"]
            if operation?["state"]?.text == ShootStatus.OperationState.succeeded.rawValue {
                state.hasMissedTheEnd = true
            }
            return .failure(TransferError(.connect, url: request.url, reason: "the garden is away"))
        }
        let before = state.world.shootDocument
        let response: HTTPResponse
        let change: String?
        do throws(TransferError) {
            (response, change) = try state.world.answer(request)
        } catch {
            return .failure(error)
        }
        guard let change else { return .success(response) }
        state.remaining -= 1
        state.untilPause -= 1
        if state.untilPause == 0 { state.world.pause(true) }
        let after = state.world.shootDocument
        if after != before, let shoot = after.flatMap(shoot) { state.follower?(shoot) }
        if !isProgress(before, after) { state.moments.append(Moment(world: state.world, path: change)) }
        return .success(response)
    }

    /// Whether nothing but the percentage of an operation has changed.
    private static func isProgress(_ before: JSONValue?, _ after: JSONValue?) -> Bool {
        func rest(_ document: JSONValue?) -> JSONValue? {
            document.map {
                let gone: JSONValue = ["progress": .null, "description": .null, "lastUpdateTime": .null]
                return MemoryObjects.patched(
                    $0,
                    ["metadata": ["resourceVersion": .null], "status": ["lastOperation": gone]]
                )
            }
        }
        return before != after && rest(before) == rest(after)
    }

    private static func shoot(_ document: JSONValue) -> Shoot? {
        try? document.decoded(as: Shoot.self)
    }
}
