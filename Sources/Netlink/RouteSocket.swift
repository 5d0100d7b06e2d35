internal import CLibmnl
internal import Glibc
package import LinuxSystem
package import TendrilCore

/// Changes links, addresses and routes of this network namespace (rtnetlink(7)).
package struct RouteSocket: ~Copyable {
    private let transport: NetlinkTransport

    package init() throws(SystemError) { transport = try NetlinkTransport(protocol: NETLINK_ROUTE) }

    /// The number of an interface.
    package func index(of interface: String) throws(SystemError) -> UInt32 {
        let index = if_nametoindex(interface)
        guard index != 0 else { throw SystemError("find the interface \(interface)", code: errno) }
        return index
    }

    /// Brings an interface up with an MTU in bytes and a queue of so many packets.
    package func bringUp(_ interface: String, mtu: Int, queueLength: Int) throws(SystemError) {
        let index = try index(of: interface)
        try transport.request("bring up \(interface) with MTU \(mtu)", type: UInt16(RTM_NEWLINK), flags: 0) { message in
            let link = message.extra(ifinfomsg.self)
            link.pointee.ifi_index = CInt(index)
            link.pointee.ifi_flags = UInt32(IFF_UP.rawValue)
            link.pointee.ifi_change = UInt32(IFF_UP.rawValue)
            message.put(UInt16(IFLA_MTU), UInt32(mtu))
            message.put(UInt16(IFLA_TXQLEN), UInt32(queueLength))
        }
    }

    /// Gives an interface an address, which can be used at once.
    package func add(_ address: InterfaceAddress, to interface: String) throws(SystemError) {
        let index = try index(of: interface)
        try transport.request(
            "add the address \(address) to \(interface)",
            type: UInt16(RTM_NEWADDR),
            flags: NetlinkTransport.create
        ) { message in
            let head = message.extra(ifaddrmsg.self)
            head.pointee.ifa_family = Self.family(address.address)
            head.pointee.ifa_prefixlen = UInt8(address.prefix.length)
            head.pointee.ifa_index = index
            // A tunnel has no neighbours that could use the address too.
            head.pointee.ifa_flags = UInt8(IFA_F_NODAD)
            message.put(UInt16(IFA_LOCAL), address.address.bytes)
            message.put(UInt16(IFA_ADDRESS), address.address.bytes)
        }
    }

    /// Routes a network into an interface.
    package func add(_ network: IPPrefix, into interface: String) throws(SystemError) {
        let index = try index(of: interface)
        let flags = NetlinkTransport.create
        try route("route \(network) into \(interface)", RTM_NEWROUTE, flags, network, scope: RT_SCOPE_LINK) { message in
            message.put(UInt16(RTA_OIF.rawValue), index)
        }
    }

    /// Routes a network by way of a neighbour, whatever way it had before.
    package func replace(_ network: IPPrefix, via gateway: IPAddress) throws(SystemError) {
        let flags = NetlinkTransport.replace
        try route("route \(network) via \(gateway)", RTM_NEWROUTE, flags, network, scope: RT_SCOPE_UNIVERSE) {
            message in
            message.put(UInt16(RTA_GATEWAY.rawValue), gateway.bytes)
        }
    }

    /// Makes an overlay's device and brings it up; one that is there is left as it is.
    ///
    /// What leaves by it says itself where it goes (``replace(_:over:to:from:)``): it belongs to no network of its own (iproute2,
    /// ip-link(8), `external`, `gpe`).
    package func make(_ overlay: OverlayDevice) throws(SystemError) {
        guard if_nametoindex(overlay.name) == 0 else { return }
        try transport.request(
            "make the interface \(overlay.name)",
            type: UInt16(RTM_NEWLINK),
            flags: NetlinkTransport.create
        ) { message in
            let link = message.extra(ifinfomsg.self)
            link.pointee.ifi_flags = UInt32(IFF_UP.rawValue)
            link.pointee.ifi_change = UInt32(IFF_UP.rawValue)
            message.put(UInt16(IFLA_IFNAME), overlay.name)
            message.put(UInt16(IFLA_MTU), UInt32(overlay.mtu))
            message.nest(UInt16(IFLA_LINKINFO)) {
                message.put(UInt16(IFLA_INFO_KIND), "vxlan")
                message.nest(UInt16(IFLA_INFO_DATA)) {
                    message.put(UInt16(IFLA_VXLAN_COLLECT_METADATA), [1])
                    message.put(UInt16(IFLA_VXLAN_GPE), [])
                    message.put(UInt16(IFLA_VXLAN_LEARNING), [0])
                    message.put(UInt16(IFLA_VXLAN_PORT), overlay.port.bigEndianBytes)
                }
            }
        }
    }

    /// Routes a network over an overlay to the node that has it, whatever way it had before.
    ///
    /// - Parameters:
    ///   - network: of IPv4.
    ///   - overlay: whose device was made.
    ///   - node: the address at which the node takes what is wrapped up.
    ///   - source: an own address, which this node's own connections come from.
    /// - Throws: `SystemError` where the kernel refuses it.
    package func replace(
        _ network: IPPrefix,
        over overlay: OverlayDevice,
        to node: IPAddress,
        from source: IPAddress
    ) throws(SystemError) {
        let index = try index(of: overlay.name)
        let flags = NetlinkTransport.replace
        try route("route \(network) to \(node)", RTM_NEWROUTE, flags, network, scope: RT_SCOPE_LINK) { message in
            message.put(UInt16(RTA_OIF.rawValue), index)
            message.put(UInt16(RTA_PREFSRC.rawValue), source.bytes)
            let kind = UInt16(LWTUNNEL_ENCAP_IP.rawValue)
            message.put(UInt16(RTA_ENCAP_TYPE.rawValue), [UInt8(kind & 0xFF), UInt8(kind >> 8)])
            message.nest(UInt16(RTA_ENCAP.rawValue)) {
                message.put(UInt16(LWTUNNEL_IP_ID.rawValue), [0, 0, 0, 0] + overlay.number.bigEndianBytes)
                message.put(UInt16(LWTUNNEL_IP_DST.rawValue), node.bytes)
            }
        }
    }

    /// Removes the route of a network.
    package func remove(_ network: IPPrefix) throws(SystemError) {
        try route("remove the route of \(network)", RTM_DELROUTE, 0, network, scope: RT_SCOPE_NOWHERE) { _ in }
    }

    private func route(
        _ attempt: String,
        _ type: Int,
        _ flags: UInt16,
        _ network: IPPrefix,
        scope: rt_scope_t,
        _ build: (NetlinkMessage) -> Void
    ) throws(SystemError) {
        try transport.request(attempt, type: UInt16(type), flags: flags) { message in
            let head = message.extra(rtmsg.self)
            head.pointee.rtm_family = Self.family(network.address)
            head.pointee.rtm_dst_len = UInt8(network.length)
            head.pointee.rtm_table = UInt8(RT_TABLE_MAIN.rawValue)
            head.pointee.rtm_protocol = UInt8(RTPROT_STATIC)
            head.pointee.rtm_scope = UInt8(scope.rawValue)
            head.pointee.rtm_type = UInt8(RTN_UNICAST)
            if network.length > 0 { message.put(UInt16(RTA_DST.rawValue), network.address.bytes) }
            build(message)
        }
    }

    private static func family(_ address: IPAddress) -> UInt8 { UInt8(address.family == .v4 ? AF_INET : AF_INET6) }
}

extension FixedWidthInteger {
    fileprivate var bigEndianBytes: [UInt8] { withUnsafeBytes(of: bigEndian) { Array($0) } }
}
