import ClusterModel
import CommandSupport
import KubernetesClient
import LinuxSystem
import ShootPlan
import TendrilCore

/// Shows how far a shoot is until it is where it was wanted.
struct Follower {
    let garden: Garden
    let name: String
    /// A table is a line of progress; other formats are the whole object, again for each change: JSON on one line each.
    var output = OutputFormat.table

    /// Whether it goes on where nothing is done for the shoot, since somebody else may resume it.
    var isPatient = false

    /// Follows until what the shoot is now is done, or says that it is wanted where nobody waits.
    func follow(_ shoot: Shoot, _ waiting: WaitOptions, orSay what: String) async throws {
        guard waiting.wait else { return try leave(shoot, what) }
        let (generation, past) = (shoot.metadata.generation ?? 0, ShootPast(shoot, at: Clock.now()))
        try await follow { ShootProgress($0, until: generation, since: past.passedOver(at: Clock.now())) }
    }

    /// Follows until nothing is under way, it has failed for good, or what was being deleted is gone.
    func followToRest() async throws { try await follow(mayGo: true) { ShootProgress(ofRest: $0) } }

    /// Follows until the exchange of credentials that was asked of the shoot is so far, has failed for good, or does not go on.
    func follow(_ asked: Shoot, untilRotationIs goal: RotationPhase) async throws {
        let (past, earlier) = (ShootPast(asked, at: Clock.now()), asked.status?.credentialRotation)
        try await follow(asked, orRefusedWhere: { $0.status?.credentialRotation == earlier }) {
            ShootProgress($0, untilRotationIs: goal, after: earlier, since: past.passedOver(at: Clock.now()))
        }
        say("the rotation of \(garden.project)/\(name) is \(goal.rawValue.lowercased())")
    }

    /// Follows until the restoration that was asked of the shoot is completed, or came to nothing.
    func follow(restoring asked: Shoot) async throws {
        let earlier = asked.status?.restoration
        try await follow(asked, orRefusedWhere: { $0.status?.restoration?.startTime == earlier?.startTime }) {
            ShootProgress($0, restoringAfter: earlier)
        }
        say("the etcd of \(garden.project)/\(name) is restored")
    }

    /// Follows as far as this says; where that fails and nothing was begun, for it was refused, it is said why.
    private func follow(
        _ asked: Shoot,
        orRefusedWhere isUnchanged: (Shoot) -> Bool,
        _ progress: (Shoot) -> ShootProgress
    ) async throws {
        do {
            try await follow(progress)
        } catch let failed as Failure {
            // What was refused has left no trace but an Event.
            guard let newest = try? await garden.findShoot(name), newest.operation == nil, isUnchanged(newest),
                let reason = await garden.lastRefusal(of: asked)
            else { throw failed }
            throw failure("it was refused: \(reason)")
        }
    }

    /// Says instead what the shoot is to become, and where nothing is done for that.
    func leave(_ shoot: Shoot, _ what: String) throws {
        try tell(shoot, what)
        if let notice = shoot.pauseNotice { say(notice) }
    }

    /// Says what the shoot is to become; to programs what it is.
    func tell(_ shoot: Shoot, _ what: String) throws {
        print(output == .table ? "shoot \(shoot.key) \(what)" : try text(shoot))
    }

    /// Says something to people; for programs the object says it.
    private func say(_ words: String) { if output == .table { print(words) } }

    /// Follows as far as this says; whether the shoot may go meanwhile: one that was to be something else must not.
    private func follow(mayGo: Bool = false, _ progress: (Shoot) -> ShootProgress) async throws {
        var last = ""
        var isLeaving = false
        while true {
            guard let shoot = try await garden.findShoot(name) else {
                guard mayGo, isLeaving else { throw failure("shoot \(garden.project)/\(name) is gone") }
                return sayGone()
            }
            isLeaving = shoot.isBeingDeleted
            let progress = progress(shoot)
            // The error says what would be shown.
            if case .paused(let notice) = progress, !isPatient { throw failure(notice) }
            try show(shoot, &last)
            switch progress {
            case .done: return end()
            case .failed(let reason): throw failure(reason)
            case .paused, .underWay: try await Task.sleep(.milliseconds(500))
            }
        }
    }

    /// Ends what is shown, with the reason for it, which others may have written.
    private func failure(_ reason: String) -> Failure {
        end()
        return Failure(PrintableText.make(reason.utf8), exitCode: .configuration)
    }

    /// Follows until the shoot is gone.
    func followToTheEnd() async throws {
        var last = ""
        while let shoot = try await garden.findShoot(name) {
            try show(shoot, &last)
            try await Task.sleep(.milliseconds(500))
        }
        sayGone()
    }

    private func sayGone() {
        end()
        say("shoot \(garden.project)/\(name) is gone")
    }

    /// What has changed: on a terminal a line in place, elsewhere one more.
    private func show(_ shoot: Shoot, _ last: inout String) throws {
        let text = try text(shoot)
        guard text != last else { return }
        last = text
        if changesInPlace { print("\r\u{1B}[2K\(text)", terminator: "") } else { print(text) }
        Terminal.flush()
    }

    private func text(_ shoot: Shoot) throws -> String {
        switch output {
        case .table: ShootTable.progress(shoot)
        case .json: String(decoding: try CanonicalJSON.bytes(shoot), as: UTF8.self)
        case .yaml: "---\n" + (try YAMLText.text(try CanonicalJSON.value(shoot))).dropLast()
        }
    }

    private var changesInPlace: Bool { output == .table && Terminal.isThere }

    private func end() { if changesInPlace { print() } }
}
