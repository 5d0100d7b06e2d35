import ClusterModel
import CommandSupport
import KubernetesClient
import ShootPlan
import TendrilCore

/// Asks an API; its refusal, in its own words, ends the program.
func answered<Value>(_ request: () async throws(APIError) -> Value) async throws -> Value {
    do throws(APIError) {
        return try await request()
    } catch {
        throw Failure(error, exitCode: .unavailable)
    }
}

/// The garden as a person sees it: the shoots of one project.
struct Garden {
    let client: KubernetesClient
    let project: String

    func shoots(ofAllProjects isAll: Bool) async throws -> [Shoot] {
        try await answered { () async throws(APIError) in
            try await client.list(Shoot.self, namespace: isAll ? nil : project).items.sorted { $0.key < $1.key }
        }
    }

    /// A shoot that is there, or the reason why there is none.
    func shoot(_ name: String) async throws -> Shoot {
        guard let shoot = try await findShoot(name) else {
            let reason = "there is no shoot \(name) in the project \(project); another project: -n"
            throw Failure(reason, exitCode: .unavailable)
        }
        return shoot
    }

    func findShoot(_ name: String) async throws -> Shoot? {
        try await answered { () async throws(APIError) in
            try await client.find(Shoot.self, name, namespace: project)
        }
    }

    /// Why something that was asked for a shoot was refused last; `nil` where nothing was, or nobody says it.
    func lastRefusal(of shoot: Shoot) async -> String? {
        let field = "involvedObject.name=\(shoot.name),reason=\(ShootOperation.refusal)"
        let events = try? await client.list(Event.self, namespace: project, field: field).items
        return events?.max { ($0.lastTimestamp ?? "") < ($1.lastTimestamp ?? "") }?.message
    }

    /// Sees what a file would make of a shoot.
    ///
    /// - Parameter written: the file; what it leaves out stays as others want it.
    /// - Returns: the shoot as it is, if there is one, and as it would be.
    /// - Throws: where it cannot become that, is being deleted, or the garden does not answer.
    func outcome(of written: WrittenFile<Shoot>) async throws -> (present: Shoot?, next: Shoot) {
        guard let present = try await findShoot(written.object.name) else {
            try judge(written.object, over: nil)
            return (nil, written.object)
        }
        guard !present.isBeingDeleted else {
            let look = "tendril shoot get \(present.name) --watch"
            let reason = "shoot \(present.key) is being deleted; wait until it is gone: \(look)"
            throw Failure(reason, exitCode: .configuration)
        }
        let next = try await applied(written.document)
        try judge(next, over: present)
        return (present, next)
    }

    /// Judges a shoot as a coordinator would, which forgives what it has accepted before.
    private func judge(_ shoot: Shoot, over present: Shoot?) throws {
        let problems = ShootRules.problems(storing: shoot, over: present) {
            ShootRules.problems($0) + ShootRules.changes(to: $0, since: $1)
        }
        guard problems.isEmpty else { throw Failure(ConfigurationError(problems), exitCode: .configuration) }
    }

    /// What would come of a document, which only the garden knows.
    private func applied(_ document: JSONValue) async throws -> Shoot {
        do throws(APIError) {
            return try await client.dryApply(Shoot.self, document, manager: "tendril")
        } catch {
            // What the schema or the coordinator's webhook does not take is wrong in the file.
            throw Failure(error, exitCode: error.code == 422 ? .configuration : .unavailable)
        }
    }

    /// Changes a shoot; what it is then.
    @discardableResult
    func change(_ name: String, _ patch: JSONValue) async throws -> Shoot {
        try await answered { () async throws(APIError) in
            try await client.patch(Shoot.self, name, namespace: project, patch)
        }
    }

    /// Asks the coordinator for what no field says, with a snapshot where it is about one; the shoot as it is then.
    @discardableResult
    func ask(_ name: String, _ operation: ShootOperation, snapshot: String? = nil) async throws -> Shoot {
        var annotations: [String: JSONValue] = [ShootAnnotation.operation: .string(operation.rawValue)]
        if let snapshot { annotations[ShootAnnotation.snapshot] = .string(snapshot) }
        return try await change(name, ["metadata": ["annotations": .object(annotations)]])
    }
}
