package import ClusterModel
internal import TendrilCore

/// What a change of a shoot would do, before it is done.
///
/// It follows from what is rendered of the shoot as it is and as it is wanted, so that it says what is done.
package struct ShootPreview: Encodable, Sendable {
    /// One consequence.
    package struct Consequence: Codable, Hashable, Sendable {
        /// `control-plane`, `kube-system`, `pool worker`, `terraform`, or `shoot` as a whole.
        package let subject: String
        package let effect: String
        /// The fields that it follows from.
        package let reason: String
        /// The names of the machines that it happens to, or those of which it happens to some; `nil` where they are not known, or
        /// where it happens to none.
        package var nodes: [String]?
    }

    /// What people have to know before they believe the rest; `nil` for nothing.
    package let notice: String?
    package private(set) var consequences: [Consequence] = []
    let machines: Machines

    private enum CodingKeys: String, CodingKey {
        case notice
        case consequences
    }

    /// So many names stand in the lines of one consequence.
    private static let most = 20

    /// The field by which a shoot falls asleep and wakes up.
    static let sleep = "spec.hibernation.enabled"
    /// What is said of a change that reaches nothing that runs.
    static let nothing = "nothing restarts, and no machine comes or goes"

    /// One line each, and below it the machines that it happens to.
    package var lines: [String] {
        guard !consequences.isEmpty else { return ["nothing would change"] }
        return consequences.flatMap { consequence in
            let line = "\(consequence.subject): \(consequence.effect) (\(consequence.reason))"
            guard let nodes = consequence.nodes else { return [line] }
            let rest = nodes.count > Self.most ? " and \(nodes.count - Self.most) more" : ""
            return [line, "  " + nodes.prefix(Self.most).joined(separator: ", ") + rest]
        }
    }

    /// Compares what there is with what is wanted.
    ///
    /// - Parameters:
    ///   - old: what there is; `nil` for nothing.
    ///   - new: what is wanted, without problems.
    ///   - machines: those that there are.
    /// - Throws: where one of them cannot be rendered.
    package init(from old: Shoot?, to new: Shoot, machines: Machines = .unknown) throws {
        self.machines = machines
        notice = old.flatMap(Self.notice)
        guard let old else {
            announce(new)
            return
        }
        let change = try ShootChange(from: old, to: new)
        tellRefusals(of: change)
        switch (old.isHibernated, new.isHibernated) {
        case (false, false):
            try comparePods(in: .controlPlane, change)
            try comparePods(in: .kubeSystem, change)
            try comparePools(change)
        case (false, true): tellSleep(of: old)
        case (true, false): tellWaking(of: new)
        case (true, true): break
        }
        tellTerraform(change)
        tellTheRest(of: change)
    }

    /// Says why what there is may not be what is compared with, and that nothing is done at all.
    private static func notice(_ old: Shoot) -> String? {
        let look = "tendril shoot get \(old.name) says why"
        let isOpen = old.acceptedSpec == nil
        let open = isOpen ? "what is stored is not in force yet, and something else may run than it says: \(look)" : nil
        let notices = [old.pauseNotice, open].compactMap { $0 }
        return notices.isEmpty ? nil : notices.joined(separator: "; ")
    }

    private mutating func announce(_ new: Shoot) {
        let reason = "the shoot is new"
        add("control-plane", new.isHibernated ? "is made without pods, for it sleeps" : "is made", reason)
        for pool in new.isHibernated ? [] : new.spec.workers { start(pool, "the pool is new") }
        add(TerraformPreview(from: nil, to: new)) { _ in reason }
    }

    /// Tells what a coordinator refuses; whether it has accepted what is stored only its status says.
    private mutating func tellRefusals(of change: ShootChange) {
        var wanted = change.new
        wanted.status = change.old.status
        // What was not made yet is made as it is stored.
        let made = change.old.status?.infrastructure ?? change.old.spec.provider.infrastructure
        for problem in ShootRules.changes(to: wanted, since: change.old.spec, made: made) {
            add("shoot", "is refused where what is stored was accepted once: \(problem.reason)", problem.path)
        }
    }

    private mutating func tellSleep(of old: Shoot) {
        add("control-plane", "its pods end; the API is away until it wakes up", Self.sleep)
        let machines = machines.of(old.spec.workers)
        add("every pool", "its machines end, and nothing is drained before", Self.sleep, machines)
    }

    private mutating func tellWaking(of new: Shoot) {
        add("control-plane", "its pods start", Self.sleep)
        for pool in new.spec.workers { start(pool, Self.sleep) }
    }

    private mutating func tellTerraform(_ change: ShootChange) {
        let terraform = TerraformPreview(from: change.old, to: change.new)
        add(terraform) { address in
            change.fields.reason { spec in
                var next = change.old
                next.spec = spec
                return TerraformPreview(from: change.old, to: next).actions[address] == terraform.actions[address]
            } ?? ""
        }
    }

    private mutating func add(_ terraform: TerraformPreview, _ reason: (_ address: String) -> String) {
        guard !terraform.actions.isEmpty else { return }
        for (address, action) in terraform.actions.sorted(by: { $0.key < $1.key }) {
            add("terraform", "\(action.rawValue) \(address)", reason(address))
        }
        add("terraform", terraform.summary, "all of it together")
    }

    /// Names the fields of which nothing was told.
    private mutating func tellTheRest(of change: ShootChange) {
        let rest = change.fields.all.filter { !isTold($0) }
        guard !rest.isEmpty else { return }
        let effect =
            switch (change.old.isHibernated, change.new.isHibernated) {
            case (_, true): "pods and machines start so when it wakes up"
            case (true, false): "pods and machines start so"
            case (false, false): Self.nothing
            }
        add("shoot", effect, rest.joined(separator: ", "))
    }

    /// Whether something was told of a field; what pools are is told of each of them.
    private func isTold(_ path: String) -> Bool {
        consequences.contains { consequence in
            consequence.reason.contains(path) || path == "spec.workers" && consequence.subject.hasPrefix("pool ")
        }
    }

    mutating func add(_ subject: String, _ effect: String, _ reason: String, _ nodes: [String]? = nil) {
        consequences.append(Consequence(subject: subject, effect: effect, reason: reason, nodes: nodes))
    }
}
