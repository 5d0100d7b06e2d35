import ClusterModel
import NodeAgent
import NodePlan
import Testing

@Suite("A machine that rejoins")
struct RejoinTests {
    @Test("A token brings a node back whatever is published, and is gone then")
    func rejoins() async throws {
        let machine = try TestMachine()
        let applied = try TestMachine.generation(1, .init())
        try await machine.bring(applied)
        try machine.write(AgentPaths.identity, machine.access.identity.certificate)
        try machine.write(AgentConfiguration.tokenPath, "abcdef.0123456789abcdef")
        // Nothing that is published can be had, and least of all taken.
        let bootstrap = try Bootstrap(machine.context)
        let access = try await bootstrap.run()
        #expect(bootstrap.state.phase == .done && access.authority == machine.authority)
        #expect(try machine.text(AgentConfiguration.tokenPath) == nil)
        #expect(try machine.text(KubeletPaths.bootstrapKubeconfig) != nil)
        #expect(try machine.generations.applied() == applied)
    }
}
