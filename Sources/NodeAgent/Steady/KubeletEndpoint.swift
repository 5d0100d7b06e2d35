internal import HTTPModel
internal import KubernetesClient
internal import LinuxSystem
internal import Logging
internal import NodePlan
internal import TendrilCore

/// Leads the kubelet to another of the API server's addresses when its own no longer answers: a kubelet knows only one.
struct KubeletEndpoint: Sendable {
    /// How often the kubelet's address has to be silent in a row, while another one answers.
    private static let patience = 3

    private let supervisor: Supervisor
    private var context: AgentContext { supervisor.context }
    private var client: KubernetesClient { supervisor.access.client }

    init(_ supervisor: Supervisor) { self.supervisor = supervisor }

    /// Looks every ten seconds, until the task is cancelled.
    func follow() async {
        guard context.configuration.apiServers.count > 1 else { return }
        var silences = 0
        while !Task.isCancelled {
            silences = await isSilent() ? silences + 1 : 0
            if silences >= Self.patience, let used = usedServer {
                silences = 0
                await lead(from: used, to: client.server)
            }
            try? await Task.sleep(.seconds(10))
        }
    }

    /// Whether the kubelet's address does not answer, while another one does.
    private func isSilent() async -> Bool {
        guard let used = usedServer, used != client.server, !(await answers(used)) else { return false }
        return await answers(client.server)
    }

    /// The first `server` in the kubeconfig, as kubelets write it.
    private var usedServer: String? {
        guard let bytes = try? context.files.read(KubeletPaths.kubeconfig) else { return nil }
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n").map { $0.drop { $0 == " " } }
        return lines.first { $0.hasPrefix("server: ") }.map { String($0.dropFirst("server: ".count)) }
    }

    /// Whether anybody is there; nothing is sent that is secret.
    private func answers(_ server: String) async -> Bool {
        let request = HTTPRequest(.get, server + "/healthz", timeout: .seconds(5), bodyLimit: 64 * 1024)
        return (try? await context.transport.send(request, context.security(.unproven, .none))) != nil
    }

    private func lead(from old: String, to new: String) async {
        do {
            guard let bytes = try context.files.read(KubeletPaths.kubeconfig) else { return }
            let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
            let text = lines.map { line in
                line.drop { $0 == " " } == "server: \(old)" ? line.prefix { $0 == " " } + "server: \(new)" : line
            }
            try context.files.replace(KubeletPaths.kubeconfig, Array(text.joined(separator: "\n").utf8), mode: 0o600)
            try KubeletCredentials.write(context, supervisor.access)
            try await context.restart(KubeletPaths.unit)
            context.logger.notice("the kubelet goes to another address", metadata: ["from": "\(old)", "to": "\(new)"])
            await supervisor.report.event("KubeletFollowedEndpoint", "from \(old) to \(new)", isWarning: true)
        } catch {
            context.logger.error("cannot lead the kubelet to \(new)", metadata: ["reason": "\(error)"])
        }
    }
}
