internal import CLibmnl
internal import CLibnftnl
internal import Glibc
import LinuxSystem
import TendrilCore

/// A transaction of nf_tables messages.
struct NFTablesBatch {
    private let buffer: UnsafeMutableRawPointer
    private var length = 0
    private var sequence: UInt32 = 0
    /// How many messages the kernel answers.
    private var answers = 0

    private init(_ buffer: UnsafeMutableRawPointer) { self.buffer = buffer }

    /// Builds a transaction and has the kernel carry it out, as a whole or not at all.
    static func send(
        over transport: borrowing NetlinkTransport,
        _ attempt: String,
        _ build: (inout NFTablesBatch) throws(SystemError) -> Void
    ) throws(SystemError) {
        let buffer = UnsafeMutableRawPointer.allocate(byteCount: 16384, alignment: 8)
        defer { buffer.deallocate() }
        var batch = NFTablesBatch(buffer)
        batch.boundary(UInt16(NFNL_MSG_BATCH_BEGIN))
        try build(&batch)
        batch.boundary(UInt16(NFNL_MSG_BATCH_END))
        try transport.exchange(attempt, UnsafeRawPointer(buffer), count: batch.length, answers: batch.answers)
    }

    private var cursor: UnsafeMutablePointer<CChar> { (buffer + length).assumingMemoryBound(to: CChar.self) }

    /// Adds the message that begins or ends the transaction.
    private mutating func boundary(_ type: UInt16) {
        sequence += 1
        let header =
            type == UInt16(NFNL_MSG_BATCH_BEGIN)
            ? nftnl_batch_begin(cursor, sequence) : nftnl_batch_end(cursor, sequence)
        advance(header)
    }

    /// Makes a table, or takes the one that is there.
    ///
    /// - Parameters:
    ///   - table: its name.
    ///   - isOwned: whether it goes with this socket, and nobody else can change it.
    /// - Throws: where there is no memory.
    mutating func add(table: String, isOwned: Bool) throws(SystemError) {
        let flags: UInt32 = isOwned ? 2 : 0  // NFT_TABLE_F_OWNER
        try put(table, NFT_MSG_NEWTABLE.rawValue) {
            nftnl_table_set_u32($0, UInt16(NFTNL_TABLE_FLAGS.rawValue), flags)
        }
    }

    /// Removes a table with everything in it.
    mutating func remove(table: String) throws(SystemError) { try put(table, NFT_MSG_DELTABLE.rawValue) { _ in } }

    private mutating func put(_ table: String, _ type: UInt32, _ set: (OpaquePointer) -> Void) throws(SystemError) {
        guard let object = nftnl_table_alloc() else { throw SystemError("allocate a table", code: ENOMEM) }
        defer { nftnl_table_free(object) }
        nftnl_table_set_str(object, UInt16(NFTNL_TABLE_NAME.rawValue), table)
        set(object)
        let header = message(type)
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

    /// Adds a rule that gives what it matches the address of the interface by which it leaves.
    mutating func addMasquerade(
        to table: String,
        chain: String,
        matching match: (Rule) throws(SystemError) -> Void
    ) throws(SystemError) {
        guard let object = nftnl_rule_alloc() else { throw SystemError("allocate a rule", code: ENOMEM) }
        defer { nftnl_rule_free(object) }
        nftnl_rule_set_str(object, UInt16(NFTNL_RULE_TABLE.rawValue), table)
        nftnl_rule_set_str(object, UInt16(NFTNL_RULE_CHAIN.rawValue), chain)
        let rule = Rule(object: object)
        try match(rule)
        try rule.add("masq") { _ in }
        let header = message(NFT_MSG_NEWRULE.rawValue)
        nftnl_rule_nlmsg_build_payload(header, object)
        advance(header)
    }

    private mutating func message(_ type: UInt32) -> UnsafeMutablePointer<nlmsghdr>? {
        sequence += 1
        answers += 1
        let flags: UInt16 =
            switch type {
            // NLM_F_CREATE | NLM_F_APPEND | NLM_F_ACK.
            case NFT_MSG_NEWRULE.rawValue: 0x400 | 0x800 | 0x4
            case NFT_MSG_DELTABLE.rawValue: 0x4
            default: 0x400 | 0x4
            }
        return nftnl_nlmsg_build_hdr(cursor, UInt16(type), UInt16(TENDRIL_NFPROTO_INET), flags, sequence)
    }

    private mutating func advance(_ header: UnsafeMutablePointer<nlmsghdr>?) {
        length += Int(header?.pointee.nlmsg_len ?? 0)
    }
}

extension NFTablesBatch {
    /// The expressions of a rule: each loads something into a register, or compares what is there.
    struct Rule {
        /// An address of an IPv4 packet (RFC 791 section 3.1): where it stands in the header.
        enum Address: UInt32 {
            case source = 12
            case destination = 16
        }

        fileprivate let object: OpaquePointer
        private static let register = UInt32(NFT_REG_1.rawValue)

        fileprivate init(object: OpaquePointer) { self.object = object }

        /// Demands an interface's name.
        func match(_ key: UInt32, _ comparison: UInt32, name: String) throws(SystemError) {
            try loadMeta(key)
            try compare(comparison, Array(name.utf8) + Array(repeating: 0, count: max(16 - name.utf8.count, 1)))
        }

        /// Demands a packet of IPv4.
        func matchIPv4() throws(SystemError) {
            try loadMeta(NFT_META_NFPROTO.rawValue)
            try compare(NFT_CMP_EQ.rawValue, [UInt8(TENDRIL_NFPROTO_IPV4)])
        }

        /// Demands that an address lies in a network of IPv4, or outside of it.
        func match(_ address: Address, _ comparison: UInt32, _ network: IPPrefix) throws(SystemError) {
            let mask = IPAddress(family: .v4, bits: IPPrefix.mask(network.length)).bytes
            let nothing = [UInt8](repeating: 0, count: mask.count)
            try add("payload") { expression in
                nftnl_expr_set_u32(expression, UInt16(NFTNL_EXPR_PAYLOAD_DREG), Self.register)
                nftnl_expr_set_u32(expression, UInt16(NFTNL_EXPR_PAYLOAD_BASE), NFT_PAYLOAD_NETWORK_HEADER.rawValue)
                nftnl_expr_set_u32(expression, UInt16(NFTNL_EXPR_PAYLOAD_OFFSET), address.rawValue)
                nftnl_expr_set_u32(expression, UInt16(NFTNL_EXPR_PAYLOAD_LEN), UInt32(mask.count))
            }
            try add("bitwise") { expression in
                nftnl_expr_set_u32(expression, UInt16(NFTNL_EXPR_BITWISE_SREG), Self.register)
                nftnl_expr_set_u32(expression, UInt16(NFTNL_EXPR_BITWISE_DREG), Self.register)
                nftnl_expr_set_u32(expression, UInt16(NFTNL_EXPR_BITWISE_LEN), UInt32(mask.count))
                nftnl_expr_set(expression, UInt16(NFTNL_EXPR_BITWISE_MASK), mask, UInt32(mask.count))
                nftnl_expr_set(expression, UInt16(NFTNL_EXPR_BITWISE_XOR), nothing, UInt32(nothing.count))
            }
            try compare(comparison, network.address.bytes)
        }

        private func loadMeta(_ key: UInt32) throws(SystemError) {
            try add("meta") { expression in
                nftnl_expr_set_u32(expression, UInt16(NFTNL_EXPR_META_KEY), key)
                nftnl_expr_set_u32(expression, UInt16(NFTNL_EXPR_META_DREG), Self.register)
            }
        }

        private func compare(_ comparison: UInt32, _ bytes: [UInt8]) throws(SystemError) {
            try add("cmp") { expression in
                nftnl_expr_set_u32(expression, UInt16(NFTNL_EXPR_CMP_SREG), Self.register)
                nftnl_expr_set_u32(expression, UInt16(NFTNL_EXPR_CMP_OP), comparison)
                nftnl_expr_set(expression, UInt16(NFTNL_EXPR_CMP_DATA), bytes, UInt32(bytes.count))
            }
        }

        /// Adds an expression of a kind.
        fileprivate func add(_ kind: String, _ set: (OpaquePointer) -> Void) throws(SystemError) {
            guard let expression = nftnl_expr_alloc(kind) else { throw SystemError("allocate \(kind)", code: ENOMEM) }
            set(expression)
            nftnl_rule_add_expr(object, expression)
        }
    }
}
