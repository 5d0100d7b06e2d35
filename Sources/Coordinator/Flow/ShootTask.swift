internal import ClusterModel
internal import FoundationEssentials
internal import ShootPlan
internal import TLSEngine
internal import TendrilCore

/// One step of a flow: what it is done with decides whether it has to be done again.
struct ShootTask: Sendable {
    let name: String
    /// What is being done, for people: "Starting etcd".
    let title: String
    let after: [String]
    /// Whether it only waits for what comes by itself, and so takes nobody's place.
    var isWaiting = false
    /// Everything that the result depends on; equal inputs need no second run.
    let inputs: @Sendable (FlowRecords) throws -> JSONValue
    /// Does it, and returns what other tasks need of the result; doing it twice does no harm.
    let perform: @Sendable (FlowRecords) async throws -> JSONValue

    var item: TaskGraph.Item { TaskGraph.Item(name, after: after) }
}

/// A task that did not come to its end, with what kind of failure it was.
struct TaskFailure: Error, CustomStringConvertible {
    let code: ShootStatus.ErrorCode
    let description: String

    init(_ code: ShootStatus.ErrorCode, _ description: String) { (self.code, self.description) = (code, description) }
}

extension JSONValue {
    /// The value as a type.
    func decoded<Value: Decodable>(as type: Value.Type) throws -> Value {
        try JSONDecoder().decode(type, from: JSONEncoder().encode(self))
    }

    /// A digest that equal values share.
    func digest() throws -> String { Digest.hex(try CanonicalJSON.bytes(self)) }
}

extension FlowRecords {
    /// The output of a task that is done.
    func output<Value: Decodable>(_ task: String, as type: Value.Type) throws -> Value {
        guard let output = self[task] else { throw TaskFailure(.unknown, "\(task) has no result yet") }
        return try output.decoded(as: type)
    }
}
