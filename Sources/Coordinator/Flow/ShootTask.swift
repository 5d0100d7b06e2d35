package import ClusterModel
package import ShootPlan
internal import TLSEngine
package import TendrilCore

/// One step of a flow: what it is done with decides whether it has to be done again.
package struct ShootTask: Sendable {
    /// By which it is remembered.
    package let name: String
    /// What is being done, for people: "Starting etcd".
    let title: String
    /// The names of the tasks that have to be done before.
    package let after: [String]
    /// Whether it only waits for what comes by itself, and so takes nobody's place.
    let isWaiting: Bool
    /// Everything that the result depends on; equal inputs need no second run.
    package let inputs: @Sendable (FlowRecords) throws -> JSONValue
    /// Does it, and returns what other tasks need of the result; doing it twice does no harm.
    let perform: @Sendable (FlowRecords) async throws -> JSONValue

    /// Takes what it is and what it does.
    ///
    /// - Parameters:
    ///   - name: by which it is remembered.
    ///   - title: what is being done, for people.
    ///   - after: the names of the tasks that have to be done before.
    ///   - isWaiting: whether it only waits for what comes by itself.
    ///   - inputs: everything that the result depends on.
    ///   - perform: does it, and returns what other tasks need of the result.
    package init(
        name: String,
        title: String,
        after: [String],
        isWaiting: Bool = false,
        inputs: @escaping @Sendable (FlowRecords) throws -> JSONValue,
        perform: @escaping @Sendable (FlowRecords) async throws -> JSONValue
    ) {
        (self.name, self.title, self.after, self.isWaiting) = (name, title, after, isWaiting)
        (self.inputs, self.perform) = (inputs, perform)
    }

    var item: TaskGraph.Item { TaskGraph.Item(name, after: after) }
}

/// A task that did not come to its end, with what kind of failure it was.
package struct TaskFailure: Error, CustomStringConvertible {
    /// What kind of failure it was.
    package let code: ShootStatus.ErrorCode
    package let description: String

    /// Takes the kind, and the reason for people.
    package init(_ code: ShootStatus.ErrorCode, _ description: String) {
        (self.code, self.description) = (code, description)
    }
}

extension JSONValue {
    /// A digest that equal values share.
    func digest() throws -> String { Digest.hex(try CanonicalJSON.bytes(self)) }
}

extension FlowRecords {
    /// The output of a task that is done.
    package func output<Value: Decodable>(_ task: String, as type: Value.Type) throws -> Value {
        guard let output = self[task] else { throw TaskFailure(.unknown, "\(task) has no result yet") }
        return try output.decoded(as: type)
    }

    /// When what was issued is to be made anew.
    var renewals: Renewals {
        let leaves = try? output(TaskName.certificates, as: CertificatesTask.Output.self)
        let machines = try? output(TaskName.machines, as: MachinesTask.Output.self)
        // Whichever was issued later.
        let access = try? output(TaskName.accessRenewal, as: AccessTask.Renewed.self)
        return Renewals(
            people: leaves.map { max($0.people ?? $0.renewal, access?.renewal ?? 0) } ?? .max,
            leaves: leaves?.renewal ?? .max,
            tokens: machines?.renewal ?? .max
        )
    }
}
