import ArgumentParser
import ClusterModel
import CommandSupport
import LinuxSystem
import ShootPlan
import TendrilCore

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
        let asked = try await garden.ask(name, .restore, snapshot: chosen)
        let follower = options.follower(garden)
        guard options.following.waiting.wait else {
            return try follower.leave(asked, "is to be restored from \(chosen)")
        }
        try await follower.follow(restoring: asked)
    }

    private func failure(_ reason: String) -> Failure {
        Failure(PrintableText.make(reason.utf8), exitCode: .configuration)
    }
}
