package import TendrilCore

/// The routes of this network namespace as the kernel lists them.
package enum RouteList {
    /// The IPv4 routes that lead to a gateway (proc_net(5), /proc/net/route).
    package static func gateways() throws(SystemError) -> [IPPrefix: IPAddress] {
        parse(String(decoding: try DurableFile.read("/proc/net/route", limit: 4 << 20), as: UTF8.self))
    }

    /// Reads the list; lines of another form are passed over.
    package static func parse(_ text: String) -> [IPPrefix: IPAddress] {
        var routes: [IPPrefix: IPAddress] = [:]
        for line in text.split(separator: "\n").dropFirst() {
            let fields = line.split(whereSeparator: { $0 == "\t" || $0 == " " })
            guard fields.count >= 8, let network = address(fields[1]), let gateway = address(fields[2]),
                let mask = address(fields[7]), gateway.bits != 0,
                let prefix = IPPrefix(containing: network, length: mask.bits.leadingOnes)
            else { continue }
            routes[prefix] = gateway
        }
        return routes
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
