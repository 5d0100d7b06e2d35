/// What an agent says of its machine by its Node's conditions, beside those of kubelet.
package enum AgentCondition {
    /// Whether the node is as its configuration wants it.
    package static let agentReady = "TendrilAgentReady"
    /// Whether the units that the configuration names are as they are wanted.
    package static let unitsReady = "SystemdUnitsReady"

    /// The message about a generation that did not prove itself, by which the coordinator knows it again.
    package static func takenBack(_ generation: Int, _ reason: String) -> String {
        "\(beginning(generation)): \(reason)"
    }

    fileprivate static func beginning(_ generation: Int) -> String { "generation \(generation) was taken back" }
}

extension Node {
    /// What its agent complains about, the node itself before its units.
    package var complaints: [Condition] {
        [AgentCondition.agentReady, AgentCondition.unitsReady].compactMap(condition).filter { $0.status == "False" }
    }

    /// Whether it has taken a generation back, as its agent says.
    package func hasTakenBack(_ generation: Int) -> Bool {
        complaints.contains {
            $0.type == AgentCondition.agentReady
                && $0.message?.hasPrefix(AgentCondition.beginning(generation)) == true
        }
    }
}
