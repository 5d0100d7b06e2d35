/// Divides a lane between packets and streams by bytes, for as long as both have something to send.
package struct LaneShare: Hashable, Sendable {
    /// Who sends on a lane.
    package enum Kind: Hashable, Sendable { case packets, streams }

    /// By how many bytes packets are ahead of streams.
    private var lead = 0

    package init() {}

    /// Whose turn it is, if both want one.
    package var next: Kind { lead > 0 ? .streams : .packets }

    /// Notes what was sent.
    ///
    /// - Parameters:
    ///   - kind: by whom.
    ///   - bytes: how much.
    ///   - isAlone: whether the other had nothing to send, though it was its turn: who is absent saves nothing up.
    package mutating func sent(_ kind: Kind, _ bytes: Int, isAlone: Bool) {
        guard !isAlone else {
            lead = 0
            return
        }
        lead += kind == .packets ? bytes : -bytes
    }
}
