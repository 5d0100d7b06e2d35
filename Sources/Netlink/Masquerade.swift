internal import CLibmnl
internal import CLibnftnl
internal import Glibc
package import LinuxSystem

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
        let buffer = UnsafeMutableRawPointer.allocate(byteCount: 16384, alignment: 8)
        defer { buffer.deallocate() }
        var batch = NFTablesBatch(buffer)
        batch.boundary(UInt16(NFNL_MSG_BATCH_BEGIN))
        try batch.add(table: table)
        try batch.add(chain: "postrouting", to: table)
        try batch.addMasquerade(to: table, chain: "postrouting", tun: tun)
        batch.boundary(UInt16(NFNL_MSG_BATCH_END))
        try transport.exchange(
            "install the nftables table \(table) for masquerading",
            UnsafeRawPointer(buffer),
            count: batch.length,
            answers: 3
        )
        self.transport = transport
        self.table = table
    }
}

/// A transaction of nf_tables messages.
private struct NFTablesBatch {
    private let buffer: UnsafeMutableRawPointer
    private(set) var length = 0
    private var sequence: UInt32 = 0

    init(_ buffer: UnsafeMutableRawPointer) { self.buffer = buffer }

    private var cursor: UnsafeMutablePointer<CChar> { (buffer + length).assumingMemoryBound(to: CChar.self) }

    /// Adds the message that begins or ends the transaction.
    mutating func boundary(_ type: UInt16) {
        sequence += 1
        let header =
            type == UInt16(NFNL_MSG_BATCH_BEGIN)
            ? nftnl_batch_begin(cursor, sequence) : nftnl_batch_end(cursor, sequence)
        advance(header)
    }

    mutating func add(table: String) throws(SystemError) {
        guard let object = nftnl_table_alloc() else { throw SystemError("allocate a table", code: ENOMEM) }
        defer { nftnl_table_free(object) }
        nftnl_table_set_str(object, UInt16(NFTNL_TABLE_NAME.rawValue), table)
        nftnl_table_set_u32(object, UInt16(NFTNL_TABLE_FLAGS.rawValue), 2)  // NFT_TABLE_F_OWNER
        let header = message(NFT_MSG_NEWTABLE.rawValue)
        nftnl_table_nlmsg_build_payload(header, object)
        advance(header)
    }

    mutating func add(chain: String, to table: String) throws(SystemError) {
        guard let object = nftnl_chain_alloc() else { throw SystemError("allocate a chain", code: ENOMEM) }
        defer { nftnl_chain_free(object) }
        nftnl_chain_set_str(object, UInt16(NFTNL_CHAIN_TABLE.rawValue), table)
        nftnl_chain_set_str(object, UInt16(NFTNL_CHAIN_NAME.rawValue), chain)
        nftnl_chain_set_str(object, UInt16(NFTNL_CHAIN_TYPE.rawValue), "nat")
        nftnl_chain_set_u32(object, UInt16(NFTNL_CHAIN_HOOKNUM.rawValue), UInt32(TENDRIL_NF_INET_POST_ROUTING))
        nftnl_chain_set_s32(object, UInt16(NFTNL_CHAIN_PRIO.rawValue), CInt(TENDRIL_NF_IP_PRI_NAT_SRC))
        let header = message(NFT_MSG_NEWCHAIN.rawValue)
        nftnl_chain_nlmsg_build_payload(header, object)
        advance(header)
    }

    /// Adds the rule `iifname TUN oifname != TUN masquerade`.
    mutating func addMasquerade(to table: String, chain: String, tun: String) throws(SystemError) {
        guard let rule = nftnl_rule_alloc() else { throw SystemError("allocate a rule", code: ENOMEM) }
        defer { nftnl_rule_free(rule) }
        nftnl_rule_set_str(rule, UInt16(NFTNL_RULE_TABLE.rawValue), table)
        nftnl_rule_set_str(rule, UInt16(NFTNL_RULE_CHAIN.rawValue), chain)
        try match(NFT_META_IIFNAME.rawValue, NFT_CMP_EQ.rawValue, tun, in: rule)
        try match(NFT_META_OIFNAME.rawValue, NFT_CMP_NEQ.rawValue, tun, in: rule)
        nftnl_rule_add_expr(rule, try expression("masq"))
        let header = message(NFT_MSG_NEWRULE.rawValue)
        nftnl_rule_nlmsg_build_payload(header, rule)
        advance(header)
    }

    private func match(_ key: UInt32, _ comparison: UInt32, _ name: String, in rule: OpaquePointer) throws(SystemError)
    {
        let register = UInt32(NFT_REG_1.rawValue)
        let meta = try expression("meta")
        nftnl_expr_set_u32(meta, UInt16(NFTNL_EXPR_META_KEY), key)
        nftnl_expr_set_u32(meta, UInt16(NFTNL_EXPR_META_DREG), register)
        nftnl_rule_add_expr(rule, meta)
        let compare = try expression("cmp")
        let padded = Array(name.utf8) + Array(repeating: 0, count: max(16 - name.utf8.count, 1))
        nftnl_expr_set_u32(compare, UInt16(NFTNL_EXPR_CMP_SREG), register)
        nftnl_expr_set_u32(compare, UInt16(NFTNL_EXPR_CMP_OP), comparison)
        nftnl_expr_set(compare, UInt16(NFTNL_EXPR_CMP_DATA), padded, UInt32(padded.count))
        nftnl_rule_add_expr(rule, compare)
    }

    private func expression(_ name: String) throws(SystemError) -> OpaquePointer {
        guard let expression = nftnl_expr_alloc(name) else { throw SystemError("allocate \(name)", code: ENOMEM) }
        return expression
    }

    private mutating func message(_ type: UInt32) -> UnsafeMutablePointer<nlmsghdr>? {
        sequence += 1
        // NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK; a rule is appended.
        let flags: UInt16 = type == NFT_MSG_NEWRULE.rawValue ? 0x400 | 0x800 | 0x4 : 0x400 | 0x4
        return nftnl_nlmsg_build_hdr(cursor, UInt16(type), UInt16(TENDRIL_NFPROTO_INET), flags, sequence)
    }

    private mutating func advance(_ header: UnsafeMutablePointer<nlmsghdr>?) {
        length += Int(header?.pointee.nlmsg_len ?? 0)
    }
}
