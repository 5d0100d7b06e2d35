package import TendrilCore

/// What is known of the tasks of a shoot that were done: kept in the seed, so that nothing that finished is repeated.
package struct FlowRecords: Codable, Hashable, Sendable {
    /// One task that was done.
    package struct Record: Codable, Hashable, Sendable {
        /// The digest of what the task was done with.
        package var inputs: String
        /// What other tasks need of its result.
        package var output: JSONValue

        package init(inputs: String, output: JSONValue) { (self.inputs, self.output) = (inputs, output) }
    }

    package var tasks: [String: Record] = [:]
    /// Where the exchange of credentials is; `nil` where there was none.
    package var rotation: Rotation?
    /// When a cloud was asked last whether all is as it was made, in seconds since 1970; `nil` where that is not known.
    package var lastLook: UInt64?
    /// Where the last restoration of its etcd is; `nil` where there was none.
    package var restoration: Restoration?

    package init() {}

    /// The output of a task, if it was ever done.
    package subscript(_ task: String) -> JSONValue? { tasks[task]?.output }

    /// What is left when some tasks count as never done.
    package func forgetting(_ names: some Sequence<String>) -> FlowRecords {
        var kept = self
        for name in names { kept.tasks[name] = nil }
        return kept
    }

    /// The same when what some tasks made may be gone: they are done again, and know what came of them.
    package func doubting(_ names: some Sequence<String>) -> FlowRecords {
        var kept = self
        for name in names { kept.tasks[name]?.inputs = "" }
        return kept
    }

    /// Whether nothing was begun that was not done: a task that is to change something, or has failed at that, has no inputs.
    package var isWhole: Bool { tasks.values.allSatisfy { !$0.inputs.isEmpty } }

    /// Whether a task that is performed again was done with just what it is to be done with now; what is to change something has no
    /// inputs by then.
    package func isUnchanged(_ task: String) -> Bool { tasks[task].map { !$0.inputs.isEmpty } ?? false }

    /// Whether a task was done with these inputs.
    package func isDone(_ task: String, inputs: String) -> Bool { tasks[task]?.inputs == inputs }
}
