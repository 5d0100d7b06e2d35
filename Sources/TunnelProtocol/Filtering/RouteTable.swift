package import TendrilCore

/// Finds the value of the longest prefix that holds an address.
///
/// A path-compressed binary trie per family in flat arrays; a lookup touches one node per distinguishing bit. It is
/// built on the control side and handed to workers as a whole.
package struct RouteTable<Value: Sendable>: Sendable {
    private struct Node: Sendable {
        let prefix: IPPrefix
        var value: Value?
        /// Children by the bit behind the prefix; -1 where there is none.
        var zero: Int32 = -1
        var one: Int32 = -1
    }

    private var nodes: [Node] = []
    private var rootV4: Int32 = -1
    private var rootV6: Int32 = -1

    /// Every route in no particular order.
    package private(set) var routes: [(prefix: IPPrefix, value: Value)] = []

    package init() {}

    /// Builds a table; of equal prefixes the first counts.
    package init(_ routes: some Sequence<(prefix: IPPrefix, value: Value)>) {
        for route in routes { insert(route.prefix, route.value) }
    }

    package var isEmpty: Bool { routes.isEmpty }

    /// Adds a route unless the very same prefix has one; returns whether it was added.
    @discardableResult
    package mutating func insert(_ prefix: IPPrefix, _ value: Value) -> Bool {
        let root = prefix.family == .v4 ? rootV4 : rootV6
        let (top, added) = place(prefix, value, below: root)
        if prefix.family == .v4 { rootV4 = top } else { rootV6 = top }
        if added { routes.append((prefix, value)) }
        return added
    }

    /// The value of the longest prefix that holds `address`.
    package func lookup(_ address: IPAddress) -> Value? {
        var best: Value?
        var index = address.family == .v4 ? rootV4 : rootV6
        while index >= 0 {
            let node = nodes[Int(index)]
            guard node.prefix.contains(address) else { break }
            if let value = node.value { best = value }
            guard node.prefix.length < address.family.bitWidth else { break }
            index = Self.bit(node.prefix.length, of: address) ? node.one : node.zero
        }
        return best
    }

    /// Whether some prefix holds `address`.
    package func contains(_ address: IPAddress) -> Bool { lookup(address) != nil }

    private mutating func place(_ prefix: IPPrefix, _ value: Value, below index: Int32) -> (Int32, Bool) {
        guard index >= 0 else { return (append(Node(prefix: prefix, value: value)), true) }
        let node = nodes[Int(index)]
        if node.prefix == prefix {
            guard node.value == nil else { return (index, false) }
            nodes[Int(index)].value = value
            return (index, true)
        }
        if node.prefix.contains(prefix) {
            let isOne = Self.bit(node.prefix.length, of: prefix.address)
            let (child, added) = place(prefix, value, below: isOne ? node.one : node.zero)
            if isOne { nodes[Int(index)].one = child } else { nodes[Int(index)].zero = child }
            return (index, added)
        }
        return (join(prefix, value, with: index), true)
    }

    /// Puts a new node above or beside the node at `index`, which does not hold `prefix`.
    private mutating func join(_ prefix: IPPrefix, _ value: Value, with index: Int32) -> Int32 {
        let other = nodes[Int(index)].prefix
        let difference = (prefix.address.bits ^ other.address.bits).leadingZeroBitCount
        let length = min(prefix.length, other.length, difference)
        guard length < prefix.length, let above = IPPrefix(containing: prefix.address, length: length) else {
            return append(branch(Node(prefix: prefix, value: value), to: index, at: other.address))
        }
        let leaf = append(Node(prefix: prefix, value: value))
        let half = branch(Node(prefix: above, value: nil), to: leaf, at: prefix.address)
        return append(branch(half, to: index, at: other.address))
    }

    private func branch(_ node: Node, to child: Int32, at address: IPAddress) -> Node {
        var node = node
        if Self.bit(node.prefix.length, of: address) { node.one = child } else { node.zero = child }
        return node
    }

    private mutating func append(_ node: Node) -> Int32 {
        nodes.append(node)
        return Int32(nodes.count - 1)
    }

    private static func bit(_ position: Int, of address: IPAddress) -> Bool {
        address.bits >> UInt128(127 - position) & 1 == 1
    }
}
