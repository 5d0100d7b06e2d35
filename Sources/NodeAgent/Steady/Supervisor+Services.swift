internal import ClusterModel
internal import HTTPModel
internal import KubernetesClient
internal import LinuxSystem
internal import Logging
internal import NodePlan
internal import TLSEngine
package import TendrilCore

extension Supervisor {
    /// Shows that the agent lives; while that fails it is tried more often, to see soon that a fault is over.
    func heartbeat() async {
        while !Task.isCancelled {
            let now = KubernetesTime.microText(seconds: Clock.unixTime())
            let spec: JSONValue = [
                "holderIdentity": .string(context.identity.machine),
                "leaseDurationSeconds": .integer(TendrilAPI.agentLeaseSeconds), "renewTime": .string(now),
            ]
            let name = TendrilAPI.agentLease(machine: context.identity.machine)
            var pause = Nanoseconds.seconds(15)
            do throws(APIError) {
                try await access.client.patch(Lease.self, name, namespace: TendrilAPI.namespace, ["spec": spec])
            } catch {
                context.logger.debug("heartbeat failed", metadata: ["reason": "\(error)"])
                pause = .seconds(5)
            }
            try? await Task.sleep(pause)
        }
    }

    /// Looks for wishes on the Node and what is to be told there, and whether the machine is still called as it was.
    package func lookAtNode(at now: MonotonicTime = Clock.now()) async {
        if context.configuration.machineName == nil, HostName.current.lowercased() != context.identity.machine {
            context.logger.error("the host name has changed; a node cannot be renamed: reset it and let it join again")
            await report.event("HostNameChanged", "the host name is now \(HostName.current)", isWarning: true)
        }
        let found: Node?
        do throws(APIError) {
            found = try await access.client.find(Node.self, context.identity.machine)
        } catch {
            // Nobody says that it is gone.
            return
        }
        await bringBack(isThere: found != nil, at: now)
        guard let node = found else { return }
        await correct(node)
        await tellConditions(missingOn: node)
        guard let wish = node.metadata.annotations?[NodeReport.restartAnnotation] else { return }
        let names = wish.split(separator: ",").map { String($0.filter { $0 != " " }) }.filter(UnitName.isValid)
        // First, so that a restart that fails is not tried for ever.
        try? await report.clearRestart()
        for name in names.prefix(16) {
            do {
                try await context.restart(name)
                await report.event("UnitRestarted", "restarted \(name), as an annotation wished", isWarning: false)
            } catch {
                await report.event("UnitRestartFailed", "\(error)", isWarning: true)
            }
        }
    }

    /// Restarts the kubelet once its Node stays away: one that was deleted is made anew only when a kubelet starts.
    private func bringBack(isThere: Bool, at now: MonotonicTime) async {
        let applied = (try? generations.applied()) ?? nil
        let hasKubelet = applied.flatMap { try? generations.document($0).spec.kubelet } != nil
        let (action, isChanged) = state.withLock { state in
            let before = state.isLost
            let action = state.absence.observe(isHealthy: isThere || !hasKubelet, at: now)
            if isThere { state.isLost = false } else { state.told = [:] }
            if action == .restart { state.isLost = true }
            return (action, before != state.isLost)
        }
        await act(action, KubeletPaths.unit, absence)
        if isChanged { showStatus() }
    }

    /// Renews the agent's certificate when 70 to 80 % of its life have passed, each machine at its own moment.
    func renewCertificate() async {
        let share = 0.7 + Double(Digest.sha256(Array(context.identity.machine.utf8))[0]) / 2560
        let now = Clock.unixTime()
        guard now >= access.identity.facts.moment(at: share), !context.renewals.isRecent(AgentPaths.identity) else {
            return
        }
        do throws(AgentFailure) {
            try await access.renew(context)
        } catch {
            context.logger.error("cannot renew the certificate", metadata: ["reason": "\(error)"])
            let left = Int(access.identity.facts.expiry) - Int(now)
            await report.event(
                "CertificateRenewalFailed",
                "\(error.message); \(left / 3600) h are left",
                isWarning: true
            )
            try? await Task.sleep(.seconds(60))
        }
    }

    func watchServices() async {
        while !Task.isCancelled {
            try? await Task.sleep(.seconds(20))
            await lookAtServices()
        }
    }

    /// Whether the machine is being changed, or a generation on its way judged.
    package var isChanging: Bool { generations.isCarryingOut || state.withLock { $0.isJudging } }

    /// Restarts the kubelet and the container runtime when they are unhealthy, within reason, and tells which units fail.
    package func lookAtServices(at now: MonotonicTime = Clock.now()) async {
        // Only so long: a generation may wait for leave for hours, and what runs meanwhile has to run.
        guard !isChanging, let specs = try? generations.begun(), let spec = specs.last else { return }
        let lacksKubelet = specs.contains { $0.kubelet == nil }
        let problem = lacksKubelet ? nil : await LocalHealth.kubelet(context.transport)
        let kubelet = state.withLock { $0.kubelet.observe(isHealthy: problem == nil, at: now) }
        await act(kubelet, KubeletPaths.unit, problem ?? "")
        // While the machine is on its way from one to the other, units that only one of them wants may well be gone.
        let units = spec.supervisedUnits.filter { unit in specs.allSatisfy { $0.supervisedUnits.contains(unit) } }
        let failing: [String]
        do throws(AgentFailure) {
            failing = try await LocalHealth.units(context.units, units)
        } catch {
            failing = [error.message]
        }
        let runtimeProblem = failing.first { $0.hasPrefix(spec.runtimeUnit) }
        let runtime = state.withLock { $0.runtime.observe(isHealthy: runtimeProblem == nil, at: now) }
        await act(runtime, spec.runtimeUnit, runtimeProblem ?? "")
        state.withLock { $0.failingUnits = failing }
        await tellConditions()
    }

    private func act(_ action: Remediation.Action, _ unit: String, _ problem: String) async {
        switch action {
        case .nothing: return
        case .giveUp:
            context.logger.error("restarts do not help", metadata: ["unit": "\(unit)", "problem": "\(problem)"])
            await report.event(
                "RemediationSuspended",
                "\(unit) stays unhealthy after several restarts: \(problem)",
                isWarning: true
            )
        case .restart:
            context.logger.warning("restarting", metadata: ["unit": "\(unit)", "problem": "\(problem)"])
            do {
                try await context.restart(unit)
                await report.event("UnhealthyUnitRestarted", "restarted \(unit): \(problem)", isWarning: true)
            } catch {
                context.logger.error("\(error)")
            }
        }
    }
}
