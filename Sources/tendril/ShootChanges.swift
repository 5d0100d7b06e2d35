import ArgumentParser
import ClusterModel
import CommandSupport
import KubernetesClient
import TendrilCore

/// Which shoot is to change, and whether that is waited for.
struct ChangeOptions: ParsableArguments {
    @OptionGroup var garden: GardenOptions
    @Argument(help: "The shoot's name.")
    var name: String
    @OptionGroup var following: FollowOptions

    /// Who follows it.
    func follower(_ garden: Garden) -> Follower { Follower(garden: garden, name: name, output: following.output) }

    /// Changes whether the shoot sleeps.
    func sleep(_ isWanted: Bool) async throws {
        let garden = try garden.garden()
        let shoot = try await garden.change(name, ["spec": ["hibernation": ["enabled": .bool(isWanted)]]])
        let words = isWanted ? "is to sleep" : "is to be awake"
        try await follower(garden).follow(shoot, following.waiting, orSay: words)
    }
}

/// The command `tendril shoot hibernate`.
struct HibernateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hibernate",
        abstract: "Put a shoot to sleep: its machines and control plane end, its data stays."
    )

    @OptionGroup var options: ChangeOptions

    func run() async throws { try await options.sleep(true) }
}

/// The command `tendril shoot wake`.
struct WakeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "wake", abstract: "Wake a shoot up.")

    @OptionGroup var options: ChangeOptions

    func run() async throws { try await options.sleep(false) }
}

/// The command `tendril shoot reconcile`.
struct ReconcileCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reconcile",
        abstract: "Do everything for a shoot again, also what did not change and what failed for good."
    )

    @OptionGroup var options: ChangeOptions

    func run() async throws {
        let garden = try options.garden.garden()
        let shoot = try await garden.ask(options.name, .reconcile)
        try await options.follower(garden).follow(shoot, options.following.waiting, orSay: "is to be made anew")
    }
}

/// The command `tendril shoot delete`.
struct DeleteCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete",
        abstract: "Delete a shoot with everything that belongs to it.",
        discussion: "There is no way back: the data of the cluster goes too."
    )

    @OptionGroup var options: ChangeOptions
    @Option(name: .long, help: "The shoot's name again, to confirm.")
    var confirm: String

    func validate() throws {
        guard confirm == options.name else {
            throw ValidationError("--confirm has to repeat the shoot's name, \(options.name)")
        }
    }

    func run() async throws {
        let (garden, name) = (try options.garden.garden(), options.name)
        let before = try await garden.shoot(name)
        let confirmed = try await setConfirmation("true", garden)
        do throws(APIError) {
            _ = try await garden.client.delete(Shoot.self, name, namespace: garden.project)
        } catch {
            let remark = await takeBack(before, garden)
            throw Failure("\(error)\(remark)", exitCode: .unavailable)
        }
        let follower = options.follower(garden)
        guard options.following.waiting.wait else { return try follower.tell(confirmed, "is to be gone") }
        try await follower.followToTheEnd()
    }

    /// Takes the confirmation back that a failed deletion leaves, for nobody after it would be asked; what is to be said of that.
    ///
    /// The error does not tell whether the shoot is being deleted, which then is what was wanted: the garden does.
    private func takeBack(_ before: Shoot, _ garden: Garden) async -> String {
        let wasConfirmed = before.metadata.annotations?[ShootAnnotation.confirmation] == "true"
        guard !wasConfirmed, !before.isBeingDeleted else { return "" }
        do {
            guard let shoot = try await garden.findShoot(before.name), !shoot.isBeingDeleted else { return "" }
            _ = try await setConfirmation(.null, garden)
            return ""
        } catch {
            let annotation = "\(ShootAnnotation.confirmation)=true"
            return "; the annotation \(annotation) may stay: then the next deletion needs no confirmation"
        }
    }

    /// Says, or takes back, that the shoot is to be deleted.
    private func setConfirmation(_ value: JSONValue, _ garden: Garden) async throws -> Shoot {
        let annotations: JSONValue = .object([ShootAnnotation.confirmation: value])
        return try await garden.change(options.name, ["metadata": ["annotations": annotations]])
    }
}
