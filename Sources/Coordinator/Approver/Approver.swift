package import ClusterModel
internal import FoundationEssentials
package import KubernetesClient
internal import LinuxSystem
package import Logging
package import TLSEngine
package import TendrilCore

/// Judges every request for a certificate that is ours to judge, and signs what our own signers issue.
package final class Approver: Sendable {
    /// What it counts, for metrics.
    package struct Counts: Sendable {
        package var approved: [String: UInt64] = [:]
        package var denied: [String: UInt64] = [:]
        package var alarms: UInt64 = 0
        package var failures: UInt64 = 0
    }

    private let client: KubernetesClient
    private let cluster: String
    private let authority: RequestAuthority
    private let nodeNetworks: [IPPrefix]
    private let logger: Logger
    private let records: MachineRecords
    private let tokens: JoinTokens
    private let pauses: Backoff
    private let kept = Guarded(Counts())
    /// The requests that are being judged: what is written of them comes back as events.
    private let underWay = Guarded<Set<String>>([])

    /// Makes an approver.
    ///
    /// - Parameters:
    ///   - client: speaks to the cluster with the rights that `deploy/approver` lists.
    ///   - cluster: the technical ID.
    ///   - authority: signs agents' and tunnel clients' certificates.
    ///   - nodeNetworks: where machines' addresses lie; empty where that is not known.
    ///   - logger: hears of every verdict.
    ///   - grace: how long a token lives at least after its certificate was issued.
    ///   - pauses: between attempts to judge one request.
    package init(
        client: KubernetesClient,
        cluster: String,
        authority: RequestAuthority,
        nodeNetworks: [IPPrefix],
        logger: Logger,
        grace: Nanoseconds = .milliseconds(3500),
        pauses: Backoff = Backoff(start: .milliseconds(100), limit: .seconds(30))
    ) {
        (self.client, self.cluster, self.authority) = (client, cluster, authority)
        (self.nodeNetworks, self.logger, self.pauses) = (nodeNetworks, logger, pauses)
        records = MachineRecords(client: client)
        tokens = JoinTokens(client: client, logger: logger, grace: grace)
    }

    package var counts: Counts { kept.withLock { $0 } }

    /// Judges until its task is cancelled.
    package func run() async {
        let watcher = Watcher(CertificateSigningRequest.self, client: client)
        let (queue, feed) = AsyncStream.makeStream(of: CertificateSigningRequest.self)
        await withDiscardingTaskGroup { group in
            group.addTask {
                await watcher.run { event in
                    switch event {
                    case .all(let requests): for request in requests { feed.yield(request) }
                    case .changed(let request): feed.yield(request)
                    case .removed: break
                    case .failed(let error):
                        self.logger.warning("cannot watch requests", metadata: ["reason": "\(error)"])
                    }
                }
                feed.finish()
            }
            group.addTask {
                await MachineCleanUp(client: self.client, cluster: self.cluster, logger: self.logger).run()
            }
            for await request in queue { group.addTask { await self.consider(request) } }
        }
    }

    /// Judges one request, unless that was done, until it is decided or gone.
    package func consider(_ request: CertificateSigningRequest) async {
        guard let signer = Signer(rawValue: request.spec.signerName), !request.isRefused,
            let name = request.metadata.name
        else { return }
        guard underWay.withLock({ $0.insert(name).inserted }) else { return }
        defer { _ = underWay.withLock { $0.remove(name) } }
        guard let judged = await judgeUntilDecided(request) else { return }
        if signer == .agent { await tokens.retire(of: judged) }
    }

    /// Judges for as long as that fails: nobody tells a second time of a request that stays as it is.
    ///
    /// - Parameter first: the request as it was told.
    /// - Returns: the request that was decided; `nil` where somebody refused it, or it is gone.
    private func judgeUntilDecided(_ first: CertificateSigningRequest) async -> CertificateSigningRequest? {
        var request = first
        var pauses = pauses
        while !Task.isCancelled {
            if request.isRefused { return nil }
            if request.isGranted { return request }
            do throws(APIError) {
                try await judge(request)
                return request
            } catch {
                kept.withLock { $0.failures += 1 }
                logger.warning("cannot judge", metadata: ["request": "\(first.name)", "reason": "\(error)"])
                try? await Task.sleep(pauses.wait(atLeast: .seconds(UInt64(error.retryAfter ?? 0))))
            }
            do throws(APIError) {
                guard let newest = try await client.find(CertificateSigningRequest.self, first.name) else { return nil }
                request = newest
            } catch {
                // What it is by now is not known: a version that is not the newest decides nothing.
                continue
            }
        }
        return nil
    }

    private func judge(_ object: CertificateSigningRequest) async throws(APIError) {
        let request: CertificateRequest
        do throws(TLSError) {
            request = try CertificateRequest(pem: Array(object.spec.request))
        } catch {
            return try await deny(object, Denial(reason: "Unreadable", message: "\(error)", isAlarm: false))
        }
        var facts = ApprovalCase(object, request, cluster: cluster, now: Clock.unixTime())
        facts.nodeNetworks = nodeNetworks
        facts.token = try await tokens.find(object.spec.username ?? "")
        var version: String?
        if let machine = facts.machine, NodeName.isValid(machine) {
            let found = try await records.find(machine)
            (facts.record, version) = (found?.record, found?.version)
            try await fillInNodes(&facts, machine)
        }
        switch ApprovalRules.judge(facts) {
        case .ignore: return
        case .deny(let denial): try await deny(object, denial)
        case .approve:
            try await decide(
                object,
                Condition("Approved", status: "True", reason: "TendrilApproved", message: "all rules hold")
            )
        case .issue(let identity, .agent):
            try await issueAgent(object, request, facts, identity, replacing: version)
        case .issue(let identity, .tunnelClient):
            try await sign(
                object,
                request,
                subject: SubjectName(user: identity.machine),
                uri: identity.tunnelURI,
                lifetime: ApprovalRules.tunnelLifetime
            )
        }
        logger.debug("judged", metadata: ["request": "\(object.name)"])
    }

    private func issueAgent(
        _ object: CertificateSigningRequest,
        _ request: CertificateRequest,
        _ facts: ApprovalCase,
        _ identity: MachineIdentity,
        replacing version: String?
    ) async throws(APIError) {
        let record = MachineRecord(
            machine: identity.machine,
            pool: identity.pool,
            keyDigest: facts.request.keyDigest,
            request: facts.uid,
            expiry: facts.now + ApprovalRules.agentLifetime
        )
        // A conflict means that somebody was faster: the next look judges by what was written.
        try await records.write(record, replacing: version)
        for grant in MachineGrants.all(identity) { try await grant.apply(client) }
        try await sign(
            object,
            request,
            subject: SubjectName(user: identity.user, groups: identity.groups),
            uri: identity.agentURI,
            lifetime: ApprovalRules.agentLifetime
        )
    }

    private func sign(
        _ object: CertificateSigningRequest,
        _ request: CertificateRequest,
        subject: SubjectName,
        uri: String,
        lifetime: UInt64
    ) async throws(APIError) {
        let certificate: [UInt8]
        do throws(TLSError) {
            certificate = try authority.issue(
                request,
                subject: subject,
                names: AlternativeNames(uris: [uri]),
                lifetime: lifetime
            )
            try IssuanceLog(logger: logger).note(certificate, for: object.name)
        } catch {
            throw .unsent(request: "sign \(object.name)", reason: "\(error)")
        }
        var approved = object
        if object.condition("Approved") == nil {
            let condition = Condition("Approved", status: "True", reason: "TendrilApproved", message: "all rules hold")
            approved = try await decide(object, condition)
        }
        var status = approved.status ?? CertificateSigningRequest.Status()
        status.certificate = Data(certificate)
        approved.status = status
        try await client.replace(approved, subresource: "status")
    }

    private func deny(_ object: CertificateSigningRequest, _ denial: Denial) async throws(APIError) {
        let name = object.name
        logger.warning(
            "denied",
            metadata: [
                "request": "\(name)", "requestor": "\(object.spec.username ?? "")", "reason": "\(denial.reason)",
                "message": "\(denial.message)",
            ]
        )
        try await decide(object, Condition("Denied", status: "True", reason: denial.reason, message: denial.message))
        kept.withLock { counts in
            counts.denied[denial.reason, default: 0] += 1
            if denial.isAlarm { counts.alarms += 1 }
        }
        guard denial.isAlarm else { return }
        let event = Event(
            "CertificateClaimRefused",
            "\(object.spec.username ?? "somebody") asked for \(name): \(denial.message)",
            isWarning: true,
            about: Event.Reference(
                apiVersion: "certificates.k8s.io/v1",
                kind: "CertificateSigningRequest",
                name: name,
                uid: object.metadata.uid
            ),
            from: Event.Source(component: "tendril-approver"),
            at: Clock.unixTime()
        )
        try await client.create(event)
    }

    @discardableResult
    private func decide(_ object: CertificateSigningRequest, _ condition: Condition) async throws(APIError)
        -> CertificateSigningRequest
    {
        var decided = object
        var status = object.status ?? CertificateSigningRequest.Status()
        var condition = condition
        condition.lastUpdateTime = KubernetesTime.text(seconds: Clock.unixTime())
        status.conditions = (status.conditions ?? []) + [condition]
        decided.status = status
        let result = try await client.replace(decided, subresource: "approval")
        if condition.type == "Approved" { kept.withLock { $0.approved[object.spec.signerName, default: 0] += 1 } }
        return result
    }

    private func fillInNodes(_ facts: inout ApprovalCase, _ machine: String) async throws(APIError) {
        guard facts.signer == Signer.kubeletServing.rawValue else {
            facts.node = try await client.find(Node.self, machine).map(ApprovalCase.NodeFacts.init)
            return
        }
        for node in try await client.list(Node.self).items {
            let known = ApprovalCase.NodeFacts(node)
            if node.name == machine {
                facts.node = known
            } else {
                facts.foreignAddresses.formUnion(known.addresses)
                if let name = node.metadata.name { facts.foreignNodes.insert(name) }
            }
        }
    }
}

extension CertificateSigningRequest {
    /// Whether nothing comes of it any more.
    fileprivate var isRefused: Bool { condition("Denied") != nil || condition("Failed") != nil }

    /// Whether it needs nothing more of us: what Kubernetes signs is its own once it is approved.
    fileprivate var isGranted: Bool {
        let isKubelet = Signer(rawValue: spec.signerName)?.isKubelet ?? false
        return status?.certificate != nil || (isKubelet && condition("Approved") != nil)
    }
}
