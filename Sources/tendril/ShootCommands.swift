import ArgumentParser
import ClusterModel
import CommandSupport
import KubernetesClient
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
    @Option(name: .shortAndLong, help: "A Shoot in YAML; - reads standard input.", completion: .file())
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
    @Option(name: .shortAndLong, help: "A Shoot in YAML; - reads standard input.", completion: .file())
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
