internal import CLibmnl
internal import CLibnftnl
internal import Glibc
package import LinuxSystem
package import TendrilCore

/// Source NAT for what comes out of the tunnel and leaves by another interface.
///
/// The rules stand in a table of their own that belongs to this socket (NFT_TABLE_F_OWNER, Linux 5.12): the kernel
/// removes it with the socket, also after kill -9, and nobody else can change it.
package struct Masquerade: ~Copyable {
    private let transport: NetlinkTransport
    /// The table's name, for `nft list table inet NAME`.
    package let table: String

    /// Installs the rules for packets that come in by the interface `tun`.
    package init(from tun: String) throws(SystemError) {
        let transport = try NetlinkTransport(protocol: NETLINK_NETFILTER)
        let table = "tendril-\(tun)"
        let chain = "postrouting"
        try NFTablesBatch.send(over: transport, "install the nftables table \(table) for masquerading") {
            batch throws(SystemError) in
            try batch.add(table: table, isOwned: true)
            try batch.add(chain: chain, to: table)
            try batch.addMasquerade(to: table, chain: chain) { rule throws(SystemError) in
                try rule.match(NFT_META_IIFNAME.rawValue, NFT_CMP_EQ.rawValue, name: tun)
                try rule.match(NFT_META_OIFNAME.rawValue, NFT_CMP_NEQ.rawValue, name: tun)
            }
        }
        self.transport = transport
        self.table = table
    }
}

/// Source NAT for what pods send to anybody but pods, by the address of their node; they see one another as they are.
///
/// The rules stay when their maker ends: pods go on.
package enum PodMasquerade {
    /// The table's name, for `nft list table inet NAME`.
    package static let table = "tendril-pods"

    /// Puts the rules in the place of those that are there, in one step.
    ///
    /// - Parameter pods: the range of all pods, of IPv4.
    /// - Throws: `SystemError` where the kernel refuses them.
    package static func install(_ pods: IPPrefix) throws(SystemError) {
        let chain = "postrouting"
        let transport = try NetlinkTransport(protocol: NETLINK_NETFILTER)
        try NFTablesBatch.send(over: transport, "install the nftables table \(table)") { batch throws(SystemError) in
            // What is not there cannot be removed: it is made first.
            try batch.add(table: table, isOwned: false)
            try batch.remove(table: table)
            try batch.add(table: table, isOwned: false)
            try batch.add(chain: chain, to: table)
            try batch.addMasquerade(to: table, chain: chain) { rule throws(SystemError) in
                try rule.matchIPv4()
                try rule.match(.source, NFT_CMP_EQ.rawValue, pods)
                try rule.match(.destination, NFT_CMP_NEQ.rawValue, pods)
            }
        }
    }
}
