package import TendrilCore

/// Who asks for what, and all that is known about it.
package struct ApprovalCase: Sendable {
    /// The Node of the machine, as far as it matters.
    package struct NodeFacts: Hashable, Sendable {
        package var hosts: Set<String>
        package var addresses: Set<IPAddress>

        package init(hosts: Set<String>, addresses: Set<IPAddress>) {
            (self.hosts, self.addresses) = (hosts, addresses)
        }
    }

    package var cluster: String
    package var signer: String
    package var usages: [String]
    /// The UID of the request's object.
    package var uid: String
    /// The user that the API server saw.
    package var requestor: String
    /// The groups that the API server saw.
    package var requestorGroups: [String]
    package var request: RequestFacts
    /// The token that the requestor showed, if it showed one of ours.
    package var token: TokenGrant?
    package var record: MachineRecord?
    package var node: NodeFacts?
    /// The networks that machines' addresses lie in; empty where they are not known.
    package var nodeNetworks: [IPPrefix]
    /// Addresses of the other Nodes.
    package var foreignAddresses: Set<IPAddress>
    /// Names of the other Nodes.
    package var foreignNodes: Set<String>
    /// Seconds since 1970.
    package var now: UInt64

    package init(
        cluster: String,
        signer: String,
        usages: [String],
        uid: String,
        requestor: String,
        requestorGroups: [String],
        request: RequestFacts,
        now: UInt64
    ) {
        (self.cluster, self.signer, self.usages, self.uid) = (cluster, signer, usages, uid)
        (self.requestor, self.requestorGroups, self.request, self.now) = (requestor, requestorGroups, request, now)
        (nodeNetworks, foreignAddresses, foreignNodes) = ([], [], [])
    }

    /// The machine that the request is about, as its subject says; `nil` where it says none.
    package var machine: String? {
        request.user.flatMap { MachineIdentity.machine(ofAgent: $0) ?? MachineIdentity.machine(ofKubelet: $0) }
            ?? request.uris.first.flatMap { uri in
                let prefix = "spiffe://\(cluster)/vpn/client/"
                return uri.hasPrefix(prefix) ? String(uri.dropFirst(prefix.count)) : nil
            }
    }
}
