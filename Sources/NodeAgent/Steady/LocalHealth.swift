internal import HTTPModel
internal import LinuxSystem
internal import NodePlan
internal import TendrilCore

/// What can be asked on the machine itself.
enum LocalHealth {
    /// What is wrong with the kubelet; `nil` where it says that it is well.
    static func kubelet(_ transport: any HTTPTransport) async -> String? {
        let request = HTTPRequest(.get, "http://127.0.0.1:10248/healthz", timeout: .seconds(3), bodyLimit: 4096)
        do throws(TransferError) {
            let response = try await transport.send(request, HTTPSecurity(trust: .system))
            return response.status == 200 ? nil : "the kubelet's health check answers \(response.status)"
        } catch {
            return "the kubelet's health check does not answer: \(error.reason)"
        }
    }

    /// What is wrong with units that are to be started.
    ///
    /// - Parameters:
    ///   - units: the machine's systemd.
    ///   - names: of the units.
    /// - Returns: a line for each that is not well.
    /// - Throws: `AgentFailure` where systemd does not say.
    static func units(_ units: any UnitControl, _ names: [String]) async throws(AgentFailure) -> [String] {
        let reports = try await attempting("look at units") {
            try await Blocking.run("units") { try units.observe(names) }
        }
        return names.compactMap { name in
            guard let report = reports[name] else { return "\(name) is not known to systemd" }
            return report.active == "active" ? nil : "\(name) is \(report.active) (\(report.sub))"
        }
    }
}
