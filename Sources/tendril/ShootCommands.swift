import ArgumentParser
import ClusterModel
import CommandSupport
import FoundationEssentials
import KubernetesClient
import LinuxSystem
import ShootPlan
import TendrilCore

/// The command `tendril shoot`.
struct ShootCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "shoot",
        abstract: "Clusters: make, look at, change, delete.",
        subcommands: [
            CreateCommand.self, GetCommand.self, PlanCommand.self, HibernateCommand.self, WakeCommand.self,
            ReconcileCommand.self, RotateCommand.self, SnapshotsCommand.self, RestoreCommand.self, DeleteCommand.self,
        ]
    )
}

/// The command `tendril shoot create`.
struct CreateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create",
        abstract: "Make a shoot, or change one, from a file; then say how far it is until it is active."
    )

    @OptionGroup var options: GardenOptions
    @Option(name: .shortAndLong, help: "A Shoot in YAML; - reads standard input.")
    var file: String
    @OptionGroup var following: FollowOptions

    func run() async throws {
        let garden = try options.garden()
        let written = try WrittenFile(shoot: file, project: garden.project)
        _ = try await garden.outcome(of: written)
        try await answered { () async throws(APIError) in
            _ = try await garden.client.serverSideApply(written.document, manager: "tendril")
        }
        let shoot = try await garden.shoot(written.object.name)
        try await Follower(garden: garden, name: shoot.name, output: following.output)
            .follow(shoot, following.waiting, orSay: "is wanted")
    }
}

/// The command `tendril shoot get`.
struct GetCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "get",
        abstract: "Show the shoots of a project, or one with all that is wrong with it."
    )

    @OptionGroup var options: GardenOptions
    @Argument(help: "The shoot's name (default: all).")
    var name: String?
    @Flag(name: [.customShort("A"), .long], help: "The shoots of all projects.")
    var allProjects = false
    @Flag(name: .shortAndLong, help: "Go on showing how far it is, until it is done.")
    var watch = false
    @Option(name: .shortAndLong, help: "table, json or yaml.")
    var output = OutputFormat.table

    func validate() throws {
        guard !watch || name != nil else { throw ValidationError("--watch needs the name of a shoot") }
        guard !allProjects || name == nil else { throw ValidationError("--all-projects names no shoot") }
    }

    func run() async throws {
        let garden = try options.garden()
        if watch, let name {
            _ = try await garden.shoot(name)
            return try await Follower(garden: garden, name: name, output: output, isPatient: true).followToRest()
        }
        if let name {
            let shoot = try await garden.shoot(name)
            return print(try output.text(shoot) { ShootTable.details(shoot) }, terminator: "")
        }
        let shoots = try await garden.shoots(ofAllProjects: allProjects)
        print(try output.text(shoots) { ShootTable.text(shoots, withProjects: allProjects) }, terminator: "")
    }
}

/// The command `tendril shoot plan`.
struct PlanCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan",
        abstract:
            "Say what a file would change: which pods roll, which machines come and go, what nodes restart, what Terraform does.",
        discussion: """
            It is the change from what is stored; where that is not in force yet, or nothing is done at all, a notice says so. \
            Nodes are named where the shoot's API answers.
            """
    )

    @OptionGroup var options: GardenOptions
    @Option(name: .shortAndLong, help: "A Shoot in YAML; - reads standard input.")
    var file: String
    @Option(name: .shortAndLong, help: "table, json or yaml.")
    var output = OutputFormat.table

    func run() async throws {
        let garden = try options.garden()
        let written = try WrittenFile(shoot: file, project: garden.project)
        let (present, next) = try await garden.outcome(of: written)
        let seen = present == nil ? .unknown : await machines(next.name, garden)
        let preview: ShootPreview
        do {
            preview = try ShootPreview(from: present, to: next, machines: seen)
        } catch {
            throw Failure(error, exitCode: .configuration)
        }
        let text = try output.text(preview) {
            let lines = (preview.notice.map { [$0, ""] } ?? []) + preview.lines
            return lines.map { PrintableText.make($0.utf8) }.joined(separator: "\n")
        }
        print(text, terminator: "")
    }

    /// The machines as the shoot's own API knows them; one that sleeps or does not answer soon names none.
    private func machines(_ name: String, _ garden: Garden) async -> ShootPreview.Machines {
        guard let shoot = try? await ShootAccess(name, in: garden).client.hasty(.seconds(5), triesAgain: false),
            let nodes = try? await shoot.list(Node.self).items,
            let bootstraps = try? await shoot.list(NodeBootstrap.self).items
        else { return .unknown }
        return ShootPreview.Machines(nodes, bootstraps)
    }
}

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
        discussion: """
            Between the halves take a new kubeconfig (tendril kubeconfig NAME), and give pods that speak to the API server \
            time to follow: on Kubernetes 1.21 and later their tokens are renewed within an hour, and programs that read the \
            CA only at their start have to be started anew. No node is replaced, and no pod of yours is restarted.
            """
    )

    @OptionGroup var options: ChangeOptions
    @Flag(exclusivity: .exclusive)
    var half: Half

    func run() async throws {
        let (garden, name) = (try options.garden.garden(), options.name)
        let shoot = try await garden.shoot(name)
        if let reason = refusal(shoot) {
            throw Failure(TextError(description: "shoot \(name): \(reason)"), exitCode: .configuration)
        }
        let (operation, goal): (ShootOperation, RotationPhase) =
            half == .start ? (.rotateStart, .prepared) : (.rotateComplete, .completed)
        let asked = try await garden.ask(name, operation)
        let follower = options.follower(garden)
        guard options.following.waiting.wait else { return try follower.leave(asked, half.words) }
        try await follower.follow(asked, untilRotationIs: goal)
    }

    private func refusal(_ shoot: Shoot) -> String? {
        if shoot.isHibernated { return "it sleeps; wake it up first" }
        let look = "see how far: tendril shoot get \(shoot.name) --watch"
        switch (half, shoot.status?.credentialRotation?.phase) {
        case (.start, .prepared): return "a rotation is prepared already; end it with --complete"
        case (.start, .completing): return "a rotation is being completed; \(look)"
        case (.complete, .preparing): return "a rotation is being prepared; \(look)"
        case (.complete, .completed), (.complete, nil): return "no rotation is prepared; begin one with --start"
        case (.start, _), (.complete, _): return nil
        }
    }
}

/// The command `tendril shoot snapshots`.
struct SnapshotsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "snapshots",
        abstract: "Show the newest snapshots of a shoot's etcd that are in the seed's bucket."
    )

    @OptionGroup var options: GardenOptions
    @Argument(help: "The shoot's name.")
    var name: String
    @Option(name: .shortAndLong, help: "table, json or yaml.")
    var output = OutputFormat.table

    func run() async throws {
        let shoot = try await options.garden().shoot(name)
        print(
            try output.text(shoot.status?.snapshots ?? []) { ShootTable.snapshots(shoot) },
            terminator: ""
        )
    }
}

/// The command `tendril shoot restore`.
struct RestoreCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore",
        abstract: "Bring a shoot's etcd back to what a snapshot holds.",
        discussion: """
            The control plane stops and starts again; nodes and pods run on. What was changed in the cluster since the \
            snapshot is lost. The data of now is kept on etcd's volume, and is used again where the snapshot cannot be. Where \
            the cluster does not start with what it holds, restore another one, or the data of now: --snapshot before. \
            Where no restoration ever put anything in place there is no such data, and everything stops for nothing.
            """
    )

    @OptionGroup var options: ChangeOptions
    @Option(
        name: .long,
        help: "The snapshot's name, as tendril shoot snapshots shows it, or before (default: the newest)."
    )
    var snapshot: String?
    @Flag(name: .long, help: "Do it; without this it is only said what would be done.")
    var yes = false

    func run() async throws {
        let (garden, name) = (try options.garden.garden(), options.name)
        let shoot = try await garden.shoot(name)
        let known = shoot.status?.snapshots ?? []
        // One that is older than those that the status names the coordinator may find all the same.
        let now = Clock.unixTime()
        let newest = known.first { !SnapshotPlan.isAhead(KubernetesTime.seconds($0.time) ?? .max, of: now) }
        guard let chosen = snapshot ?? newest?.name else {
            throw failure("shoot \(name): no snapshot is known; name one with --snapshot")
        }
        if shoot.isHibernated { throw failure("shoot \(name) sleeps; wake it up first: tendril shoot wake \(name)") }
        // With what one brought that is starting the cluster may never be well.
        if shoot.status?.restoration?.phase == .replacing {
            throw failure("shoot \(name): a restoration is under way; see how far: tendril shoot get \(name) --watch")
        }
        let made = known.first { $0.name == chosen }.map { ", made at \($0.time)" } ?? ""
        let kind = chosen == Restoration.former ? ", the data that it had before the last restoration" : made
        let what = "\(chosen)\(kind): what was changed in the shoot \(shoot.key) since then is lost"
        guard yes else { throw failure("\(what); to go on: --yes") }
        let annotations: JSONValue = [
            ShootAnnotation.operation: .string(ShootOperation.restore.rawValue),
            ShootAnnotation.snapshot: .string(chosen),
        ]
        let asked = try await garden.change(name, ["metadata": ["annotations": annotations]])
        let follower = options.follower(garden)
        guard options.following.waiting.wait else {
            return try follower.leave(asked, "is to be restored from \(chosen)")
        }
        try await follower.follow(restoring: asked)
    }

    private func failure(_ reason: String) -> Failure {
        Failure(TextError(description: PrintableText.make(reason.utf8)), exitCode: .configuration)
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
        let confirmed = try await garden.change(
            name,
            ["metadata": ["annotations": [ShootAnnotation.confirmation: "true"]]]
        )
        try await answered { () async throws(APIError) in
            _ = try await garden.client.delete(Shoot.self, name, namespace: garden.project)
        }
        let follower = options.follower(garden)
        guard options.following.waiting.wait else { return try follower.tell(confirmed, "is to be gone") }
        try await follower.followToTheEnd()
    }
}
