/// An interface's own address together with the network that it stands in.
public struct InterfaceAddress: Hashable, Sendable, CustomStringConvertible {
    /// The interface's own address.
    public let address: IPAddress
    /// The network in which it stands.
    public let prefix: IPPrefix

    /// Makes the address of a host that has no neighbours.
    public init(host address: IPAddress) {
        self.address = address
        prefix = IPPrefix(host: address)
    }

    /// Parses `address/length`, keeping the host bits.
    public init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let address = IPAddress(parts[0]) else { return nil }
        let digits = parts[1].utf8
        guard (1...3).contains(digits.count), digits.allSatisfy(\.isDigit),
            digits.count == 1 || digits.first != 0x30, let length = Int(parts[1]),
            let prefix = IPPrefix(containing: address, length: length)
        else { return nil }
        self.address = address
        self.prefix = prefix
    }

    /// The address as `address/length`.
    public var description: String { "\(address)/\(prefix.length)" }
}
