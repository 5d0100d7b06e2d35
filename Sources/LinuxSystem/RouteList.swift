package import TendrilCore

/// The routes of this network namespace as the kernel lists them.
package enum RouteList {
    /// One of them.
    package struct Entry: Hashable, Sendable {
        package let interface: String
        package let network: IPPrefix
        /// The neighbour that it leads to; `nil` for none.
        package let gateway: IPAddress?
    }

    /// The IPv4 routes that lead to a gateway (proc_net(5), /proc/net/route).
    package static func gateways() throws(SystemError) -> [IPPrefix: IPAddress] {
        var routes: [IPPrefix: IPAddress] = [:]
        for entry in try entries() { routes[entry.network] = entry.gateway }
        return routes
    }

    /// The IPv4 networks that are routed into an interface without a gateway.
    package static func networks(by interface: String) throws(SystemError) -> [IPPrefix] {
        try entries().filter { $0.interface == interface && $0.gateway == nil }.map(\.network)
    }

    /// Reads the list; lines of another form are passed over.
    package static func parse(_ text: String) -> [Entry] {
        text.split(separator: "\n").dropFirst().compactMap { line in
            let fields = line.split(whereSeparator: { $0 == "\t" || $0 == " " })
            guard fields.count >= 8, let network = address(fields[1]), let gateway = address(fields[2]),
                let mask = address(fields[7]),
                let prefix = IPPrefix(containing: network, length: mask.bits.leadingOnes)
            else { return nil }
            return Entry(interface: String(fields[0]), network: prefix, gateway: gateway.bits == 0 ? nil : gateway)
        }
    }

    private static func entries() throws(SystemError) -> [Entry] {
        parse(String(decoding: try DurableFile.read("/proc/net/route", limit: 4 << 20), as: UTF8.self))
    }

    /// An address in the machine's own order of bytes, in hexadecimal digits.
    private static func address(_ text: Substring) -> IPAddress? {
        guard text.utf8.count == 8, let value = UInt32(text, radix: 16) else { return nil }
        return IPAddress(v4: UInt32(bigEndian: value))
    }
}

extension UInt128 {
    /// How many of its upper bits are set without a gap.
    fileprivate var leadingOnes: Int { (~self).leadingZeroBitCount }
}
