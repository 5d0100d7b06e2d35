internal import TendrilCore

/// The rules by which certificates are given (design decision: a token is worth one certificate for one machine that has
/// not joined).
package enum ApprovalRules {
    /// How long an agent's certificate is valid, in seconds: seven days.
    package static let agentLifetime: UInt64 = 7 * 86400
    /// How long a tunnel client's certificate is valid, in seconds: one day.
    package static let tunnelLifetime: UInt64 = 86400

    /// Judges a request.
    package static func judge(_ facts: ApprovalCase) -> Verdict {
        guard let signer = Signer(rawValue: facts.signer) else { return .ignore }
        if let denial = formDenial(facts, signer) { return .deny(denial) }
        switch signer {
        case .agent: return agent(facts)
        case .tunnelClient: return tunnelClient(facts)
        case .kubeletClient: return kubeletClient(facts)
        case .kubeletServing: return kubeletServing(facts)
        }
    }

    /// What no request of any signer may have.
    private static func formDenial(_ facts: ApprovalCase, _ signer: Signer) -> Denial? {
        guard signer.accepts(facts.usages) else {
            return denial("WrongUsages", "usages \(list(facts.usages)) are not those of \(signer.rawValue)")
        }
        guard facts.request.otherExtensions.isEmpty else {
            return denial("ForbiddenExtension", "asks for the extension \(list(facts.request.otherExtensions))")
        }
        guard facts.request.hasGoodKey else { return denial("WeakKey", "the key is neither P-256 nor Ed25519") }
        guard facts.request.otherNames == 0 else { return denial("ForbiddenName", "asks for a name of a foreign kind") }
        return nil
    }

    private static func agent(_ facts: ApprovalCase) -> Verdict {
        guard let user = facts.request.user, let machine = MachineIdentity.machine(ofAgent: user) else {
            return .deny(denial("WrongSubject", "the subject names no agent"))
        }
        let pool: String
        if facts.requestor == user {
            guard let record = facts.record else {
                return .deny(denial("UnknownMachine", "nothing was ever issued for \(machine)", isAlarm: true))
            }
            pool = record.pool
        } else {
            switch claim(machine, facts) {
            case .failure(let denial): return .deny(denial)
            case .success(let name): pool = name
            }
        }
        let identity = MachineIdentity(cluster: facts.cluster, machine: machine, pool: pool)
        guard facts.request.groups == identity.groups else {
            return .deny(denial("WrongGroups", "asks for the groups \(list(facts.request.groups))", isAlarm: true))
        }
        guard facts.request.uris == [identity.agentURI], facts.request.hosts.isEmpty, facts.request.addresses.isEmpty
        else {
            return .deny(denial("WrongNames", "the only name must be \(identity.agentURI)"))
        }
        return .issue(identity, .agent)
    }

    /// Whether the bearer of a token may have the identity of a machine; the pool if so.
    private static func claim(_ machine: String, _ facts: ApprovalCase) -> Result<String, Denial> {
        guard facts.requestor.hasPrefix(BootstrapToken.userPrefix) else {
            return .failure(denial("ForeignRequestor", "\(facts.requestor) may not ask for \(machine)", isAlarm: true))
        }
        guard let token = facts.token, facts.requestor == BootstrapToken.userPrefix + token.id else {
            return .failure(denial("UnknownToken", "the token of \(facts.requestor) is none of ours, or is gone"))
        }
        if let expiry = token.expiry, expiry <= facts.now {
            return .failure(denial("TokenExpired", "the token \(token.id) has expired"))
        }
        if let bound = token.machine, bound != machine {
            return .failure(denial("ForeignToken", "the token \(token.id) is for \(bound) only", isAlarm: true))
        }
        guard machine.hasPrefix(token.namePrefix) else {
            let reason = "names of the pool \(token.pool) begin with \(token.namePrefix)"
            return .failure(denial("ForeignName", reason, isAlarm: true))
        }
        if let record = facts.record, record.request != facts.uid, record.expiry > facts.now, !token.allowsRejoin {
            let reason = "\(machine) has a certificate already, for another key"
            return .failure(denial("NameTaken", reason, isAlarm: true))
        }
        if facts.node != nil, facts.record?.request != facts.uid, !token.allowsRejoin {
            return .failure(denial("NodeExists", "a Node named \(machine) exists already", isAlarm: true))
        }
        return .success(token.pool)
    }

    private static func tunnelClient(_ facts: ApprovalCase) -> Verdict {
        guard let machine = MachineIdentity.machine(ofAgent: facts.requestor), let record = facts.record,
            record.machine == machine
        else { return .deny(denial("ForeignRequestor", "\(facts.requestor) is no agent that is known", isAlarm: true)) }
        let identity = MachineIdentity(cluster: facts.cluster, machine: machine, pool: record.pool)
        guard facts.request.user == machine, facts.request.groups.isEmpty else {
            return .deny(denial("WrongSubject", "the subject must be \(machine) alone", isAlarm: true))
        }
        guard facts.request.uris == [identity.tunnelURI], facts.request.hosts.isEmpty, facts.request.addresses.isEmpty
        else {
            return .deny(denial("WrongNames", "the only name must be \(identity.tunnelURI)", isAlarm: true))
        }
        return .issue(identity, .tunnelClient)
    }

    private static func kubeletClient(_ facts: ApprovalCase) -> Verdict {
        guard let machine = kubeletMachine(facts) else {
            return .deny(denial("WrongSubject", "the subject is no kubelet's", isAlarm: true))
        }
        guard facts.requestor == MachineIdentity.userPrefix + machine || isKubelet(machine, facts) else {
            let reason = "\(facts.requestor) may not ask for the kubelet of \(machine)"
            return .deny(denial("ForeignRequestor", reason, isAlarm: true))
        }
        guard facts.request.namesNothingElse else { return .deny(denial("WrongNames", "a client has no other names")) }
        guard facts.record != nil else {
            return .deny(denial("UnknownMachine", "nothing was ever issued for \(machine)", isAlarm: true))
        }
        return .approve
    }

    private static func kubeletServing(_ facts: ApprovalCase) -> Verdict {
        guard let machine = kubeletMachine(facts) else {
            return .deny(denial("WrongSubject", "the subject is no kubelet's", isAlarm: true))
        }
        guard isKubelet(machine, facts) else {
            let reason = "\(facts.requestor) may not ask for the kubelet of \(machine)"
            return .deny(denial("ForeignRequestor", reason, isAlarm: true))
        }
        guard facts.record != nil else {
            return .deny(denial("UnknownMachine", "nothing was ever issued for \(machine)", isAlarm: true))
        }
        guard let node = facts.node else { return .deny(denial("NoNode", "there is no Node named \(machine)")) }
        let request = facts.request
        let addresses = Set(request.addresses)
        guard request.uris.isEmpty, !(request.hosts.isEmpty && request.addresses.isEmpty),
            Set(request.hosts) == node.hosts, addresses == node.addresses,
            request.hosts.count == node.hosts.count, request.addresses.count == node.addresses.count
        else { return .deny(denial("WrongNames", "the names are not exactly the addresses of the Node")) }
        guard request.hosts.allSatisfy({ ServingHosts.isOwn($0, of: machine, beside: facts.foreignNodes) }) else {
            let reason = "\(list(request.hosts)): a host is neither \(machine) nor below it alone"
            return .deny(denial("ForeignHost", reason, isAlarm: true))
        }
        // Of two notations of one address only one is compared with those of other Nodes.
        guard addresses.allSatisfy(\.isRoutableUnicast) else {
            return .deny(denial("UnroutableAddress", "an address is none that a machine is reached by", isAlarm: true))
        }
        guard
            addresses.allSatisfy({ address in
                facts.nodeNetworks.isEmpty || facts.nodeNetworks.contains { $0.contains(address) }
            })
        else {
            let reason = "an address lies outside the machines' networks \(list(facts.nodeNetworks.map(\.description)))"
            return .deny(denial("ForeignAddress", reason, isAlarm: true))
        }
        guard addresses.isDisjoint(with: facts.foreignAddresses) else {
            return .deny(denial("AddressTaken", "an address belongs to another Node", isAlarm: true))
        }
        return .approve
    }

    /// The machine of a kubelet's subject, with exactly the group that kubelets have.
    private static func kubeletMachine(_ facts: ApprovalCase) -> String? {
        guard facts.request.groups == [MachineIdentity.kubeletGroup] else { return nil }
        return facts.request.user.flatMap { MachineIdentity.machine(ofKubelet: $0) }
    }

    private static func isKubelet(_ machine: String, _ facts: ApprovalCase) -> Bool {
        facts.requestor == MachineIdentity.kubeletUserPrefix + machine
            && facts.requestorGroups.contains(MachineIdentity.kubeletGroup)
    }

    private static func denial(_ reason: String, _ message: String, isAlarm: Bool = false) -> Denial {
        Denial(reason: reason, message: String(message.prefix(500)), isAlarm: isAlarm)
    }

    private static func list(_ items: [String]) -> String { items.isEmpty ? "(none)" : items.joined(separator: ", ") }
}
