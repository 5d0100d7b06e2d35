import ArgumentParser
import ClusterModel
import CommandSupport

/// The command `tendril shoot rotate`.
struct RotateCommand: AsyncParsableCommand {
    /// Its two halves.
    enum Half: EnumerableFlag {
        case start
        case complete

        /// What it makes of a shoot.
        var words: String {
            switch self {
            case .start: "is to have new CAs and keys"
            case .complete: "is to give its old CAs and keys up"
            }
        }

        static func help(for value: Half) -> ArgumentHelp? {
            switch value {
            case .start:
                "Make new CAs and keys, and have everything and every node use them; the old ones are still believed."
            case .complete: "Give the old CAs and keys up."
            }
        }
    }

    static let configuration = CommandConfiguration(
        commandName: "rotate",
        abstract: "Exchange all CAs and keys of a shoot, in two halves.",
        usage: "tendril shoot rotate (--start | --complete) [OPTION ...] <name>",
        discussion: """
            Each half is a command of its own. Between them take a new kubeconfig (tendril kubeconfig NAME), and give pods that \
            speak to the API server time to follow: on Kubernetes 1.21 and later their tokens are renewed within an hour, and \
            programs that read the CA only at their start have to be started anew. No node is replaced, and no pod of yours is \
            restarted.
            """
    )

    @OptionGroup var options: ChangeOptions
    @Flag(exclusivity: .exclusive)
    var half: Half?

    func validate() throws { _ = try wanted() }

    func run() async throws {
        let (garden, name, half) = (try options.garden.garden(), options.name, try wanted())
        let shoot = try await garden.shoot(name)
        if let reason = refusal(shoot, half) {
            throw Failure("shoot \(name): \(reason)", exitCode: .configuration)
        }
        let (operation, goal): (ShootOperation, RotationPhase) =
            half == .start ? (.rotateStart, .prepared) : (.rotateComplete, .completed)
        let asked = try await garden.ask(name, operation)
        let follower = options.follower(garden)
        guard options.following.waiting.wait else { return try follower.leave(asked, half.words) }
        try await follower.follow(asked, untilRotationIs: goal)
    }

    /// The half that was named, of which there is no default.
    private func wanted() throws -> Half {
        guard let half else { throw ValidationError("say --start or --complete") }
        return half
    }

    private func refusal(_ shoot: Shoot, _ half: Half) -> String? {
        if shoot.isHibernated { return "it sleeps; wake it up first" }
        let look = "see how far: tendril shoot get \(shoot.name) --watch"
        if shoot.status?.restoration?.phase.isOver == false { return "a restoration is under way; \(look)" }
        switch (half, shoot.status?.credentialRotation?.phase) {
        case (.start, .prepared): return "a rotation is prepared already; end it with --complete"
        case (.start, .completing): return "a rotation is being completed; \(look)"
        case (.complete, .preparing): return "a rotation is being prepared; \(look)"
        case (.complete, .completed), (.complete, nil): return "no rotation is prepared; begin one with --start"
        case (.start, _), (.complete, _): return nil
        }
    }
}
