import ClusterModel
import Coordinator
import ShootPlan
import ShootSamples
import TendrilCore
import Testing

@Suite("Another release of Kubernetes")
struct UpgradeTests {
    private static func tasks(_ version: String, _ rotation: Rotation = Rotation()) throws -> [ShootTask] {
        let configuration = try Works.configuration([
            "machineImages": [["name": "default", "program": ["baked": true]]]
        ])
        let work = try Works.work(MemoryAPI(), configuration) { $0.spec.kubernetes.version = version }
        return ShootFlows.reconcile(work, LocalProvider(), rotation)
    }

    /// All that has to be done before a task.
    private func before(_ name: String, _ tasks: [ShootTask]) -> Set<String> {
        let direct = tasks.first { $0.name == name }?.after ?? []
        return direct.reduce(into: Set(direct)) { $0.formUnion(before($1, tasks)) }
    }

    @Test(
        "reaches etcd first, the API server next, and what speaks to it only once that answers",
        arguments: [false, true]
    )
    func order(_ isRotating: Bool) throws {
        var rotation = Rotation()
        if isRotating {
            _ = rotation.start(at: 1)
            rotation.reached(at: 2)
        }
        let tasks = try Self.tasks("1.33.1", rotation)
        #expect(before(TaskName.apiServer, tasks).contains(TaskName.etcd))
        // kube-controller-manager and kube-scheduler; kubelets by what nodes are told, and by new machines; kube-proxy.
        for name in [TaskName.controllers, TaskName.nodeConfigurations, TaskName.machines, TaskName.addons] {
            #expect(before(name, tasks).isSuperset(of: [TaskName.etcd, TaskName.apiServer, TaskName.apiAnswers]))
        }
        #expect(before(TaskName.replacement, tasks).contains(TaskName.controllers))
        // What is told to be done is done when all nodes have it.
        #expect(before(TaskName.systemReady, tasks).isSuperset(of: [TaskName.nodesReady, TaskName.controllers]))
    }

    /// The tasks that are done again.
    private func changed(_ old: String, _ new: String) throws -> Set<String> {
        var records = FlowRecords()
        for task in Works.beginnings {
            records.tasks[task.name] = .init(inputs: "x", output: Works.output(task.name))
        }
        records.tasks[TaskName.authorities] = .init(inputs: "x", output: ["authorities": [:], "digests": [:]])
        records.tasks[TaskName.certificates] = .init(inputs: "x", output: ["digests": [:], "renewal": 1])
        let (before, after) = (try Self.tasks(old), try Self.tasks(new))
        return try Set(zip(before, after).filter { try $0.inputs(records) != $1.inputs(records) }.map(\.0.name))
    }

    @Test("a patch rolls what is of that release, and neither etcd nor machines; a minor release may want another etcd")
    func changes() throws {
        let rolled: Set = [TaskName.apiServer, TaskName.controllers, TaskName.nodeConfigurations, TaskName.addons]
        #expect(try changed("1.33.1", "1.33.1") == [])
        #expect(try changed("1.33.1", "1.33.2") == rolled)
        #expect(try changed("1.32.5", "1.33.2") == rolled)
        #expect(try changed("1.33.2", "1.34.0") == rolled.union([TaskName.etcd]))
    }
}
