internal import ClusterModel
internal import KubernetesClient
internal import LinuxSystem
internal import Logging
internal import ShootPlan
internal import TendrilCore

/// What a shoot's objects have in a cloud goes while the shoot's own controllers still work; nobody else could take it away.
enum CleanUpTask {
    static let name = "delete-cloud-objects"

    private static let pause = Nanoseconds.seconds(2)
    /// After so long it is looked again what there is, and who is there.
    private static let round = Nanoseconds.seconds(30)
    private static let (key, field) = ("clean-up.json", "begun")

    /// How the control plane is.
    private enum Plane {
        /// There is none, or nobody was ever let in.
        case absent
        case asleep
        case running
    }

    static func make(_ work: ShootWork) -> ShootTask {
        ShootTask(
            name: name,
            title: "Removing load balancers and volumes",
            after: [],
            inputs: { _ in [:] },
            perform: { _ in
                try await perform(work)
                return [:]
            }
        )
    }

    private static func perform(_ work: ShootWork) async throws {
        let minutes = CleanUp.minutes(of: work.shoot)
        guard minutes > 0 else { return }
        switch try await plane(of: work) {
        case .absent: return
        case .asleep: await tellUnseen(work, "the shoot sleeps")
        case .running: try await clean(work, minutes)
        }
    }

    private static func plane(of work: ShootWork) async throws -> Plane {
        guard let namespace = try await work.seed.findDocument("/api/v1/namespaces/\(work.namespace)"),
            namespace["metadata"]?["deletionTimestamp"] == nil,
            let server = try await work.seed.find(Deployment.self, "kube-apiserver", namespace: work.namespace),
            try await work.seed.find(KubernetesSecret.self, ShootWork.ownCredentials, namespace: work.namespace) != nil
        else { return .absent }
        let records = try await FlowStore(seed: work.seed, namespace: work.namespace).records()
        // Where nothing is remembered somebody took it away.
        guard records.tasks.isEmpty || records[TaskName.access] != nil else { return .absent }
        return server.spec?.replicas == 0 ? .asleep : .running
    }

    private static func clean(_ work: ShootWork, _ minutes: UInt64) async throws {
        let shoot = try await work.shootClient().hasty(.seconds(5), triesAgain: false)
        var cleaner = CloudCleaner(shoot, work.logger)
        var cleanUp: CleanUp?
        var last: CloudObjects?
        while true {
            try Task.checkCancellation()
            var found: CloudObjects?
            let sight: CleanUp.Sight
            do throws(APIError) {
                let seen = try await cleaner.look()
                if seen.isEmpty { return }
                sight = .seen(isEmpty: false, hasNodes: try await cleaner.hasNodes())
                (found, last) = (seen, seen)
            } catch {
                work.logger.info("cannot look what is in the cloud", metadata: ["reason": "\(error)"])
                guard work.shoot.spec.provider.type.isCloud else { return }
                let reason = String("\(error)".prefix(300))
                sight = error.isAbsence ? .unseen(reason) : .untold(reason)
            }
            var current = if let cleanUp { cleanUp } else { try await begin(work, minutes) }
            let now = Clock.unixTime()
            switch current.next(sight, at: now) {
            case .done: return
            case .wait:
                let time = min(round, .seconds(current.left(at: now)))
                if let found { try await cleaner.clean(found, until: Clock.now() + time) }
            case .giveUp(let reason):
                if let last { await tell(work, "\(last.text): \(reason)") } else { await tellUnseen(work, reason) }
                return
            }
            cleanUp = current
            try await Slots.aside { try await Task.sleep(pause) }
        }
    }

    /// Begins, or goes on where another coordinator has begun: what it waits for is bounded whoever waits.
    private static func begin(_ work: ShootWork, _ minutes: UInt64) async throws -> CleanUp {
        let notebook = Notebook(seed: work.seed, namespace: work.namespace, name: "tendril-clean-up")
        let (noted, now) = (try await notebook.read().entry(key, as: [String: UInt64].self)?[field], Clock.unixTime())
        // One that lies ahead was noted by a clock that was wrong, and would have each that comes later begin anew.
        if let noted, noted <= now { return CleanUp(begun: noted, minutes: minutes) }
        if let complaint = CleanUp.complaint(about: work.shoot) {
            await work.tell("CleanUpMinutesUnclear", complaint, isWarning: true)
        }
        try await notebook.write([key: .object([field: .integer(Int(clamping: now))])])
        return CleanUp(begun: now, minutes: minutes)
    }

    /// Tells that nobody could look.
    private static func tellUnseen(_ work: ShootWork, _ reason: String) async {
        guard work.shoot.spec.provider.type.isCloud else { return }
        await tell(work, "load balancers and volumes of its objects, if there are any: \(reason)")
    }

    /// Says in the status, and once as an Event, what may be left.
    private static func tell(_ work: ShootWork, _ left: String) async {
        let condition = Condition(
            ShootCondition.cloudObjectsLeft,
            status: "True",
            reason: "DeletionWentOn",
            message: String("may be left in the cloud: \(left)".prefix(1000))
        )
        let known = work.shoot.status?.conditions ?? []
        let others = known.filter { $0.type != condition.type }
        guard let merged = Condition.merged(others + [condition], into: known, at: Clock.unixTime()),
            let value = try? CanonicalJSON.value(merged)
        else { return }
        _ = try? await work.garden.patchStatus(of: work.shoot, ["conditions": value])
        await work.tell(condition.type, condition.message ?? "", isWarning: true)
    }
}
