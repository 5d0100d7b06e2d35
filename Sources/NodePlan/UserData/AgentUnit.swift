/// The unit of the agent, the same that packages install.
package enum AgentUnit {
    /// The text of tendril-agent.service, without comments.
    package static var text: String {
        let whole = String(decoding: PackageResources.tendril_agent_service, as: UTF8.self)
        return whole.split(separator: "\n", omittingEmptySubsequences: false).filter { !$0.hasPrefix("#") }.joined(
            separator: "\n"
        )
    }
}
