package import NodePlan

/// What is asked of systemd; every call ends within a bounded time.
package protocol UnitControl: Sendable {
    func observe(_ units: [String]) throws -> [String: UnitReport]
    func reload() throws
    /// One of the steps that name a unit.
    func perform(_ verb: UnitVerb, _ unit: String) throws
    func isAnswering() -> Bool
}

/// What can be done to a unit (systemctl(1)).
package enum UnitVerb: String, Sendable {
    case enable, disable, start, stop, restart
}

/// What systemd says of a unit (org.freedesktop.systemd1(5)).
package struct UnitReport: Hashable, Sendable {
    package var load: String
    package var active: String
    package var sub: String
    package var file: String

    package init(load: String, active: String, sub: String, file: String) {
        (self.load, self.active, self.sub, self.file) = (load, active, sub, file)
    }

    package var observed: ObservedUnit {
        ObservedUnit(
            isActive: ["active", "activating", "reloading"].contains(active),
            isEnabled: ["enabled", "enabled-runtime", "static", "alias", "generated"].contains(file),
            enabling: enabling
        )
    }

    /// By the states of unit files (systemctl(1), is-enabled).
    private var enabling: ObservedUnit.Enabling {
        switch file {
        case "static", "alias", "generated", "transient": .none
        case "indirect", "linked", "linked-runtime": .untold
        default: .told
        }
    }
}
