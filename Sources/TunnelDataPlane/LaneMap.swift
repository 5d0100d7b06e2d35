import TendrilCore
import TunnelProtocol

/// Which workers have a lane of which link, how many streams each link's peer has asked for, and how many are still to be
/// made on it, known to all workers.
///
/// The kernel gives a flow to whichever queue it likes; a worker without a lane of its own hands the packet to one that
/// has, and so it does with streams. That is the exception, while lanes come and go, and the only way from one worker to
/// another.
package final class LaneMap: Sendable {
    private let words = AtomicWords(count: ServerRegistry.maximumLinks + 2)
    private let asked = AtomicWords(count: ServerRegistry.maximumLinks + 2)
    private let offered = AtomicWords(count: ServerRegistry.maximumLinks + 2)

    package init() {}

    /// Notes whether a worker has a lane of a link that takes packets.
    func set(_ link: Int, worker: Int, hasLane: Bool) {
        guard link < words.count else { return }
        words.set(1 << UInt64(worker), to: hasLane, at: link)
    }

    /// Counts a stream that a link's peer has asked for, or one less.
    func countAsked(_ step: Int, on link: Int) {
        guard link < asked.count else { return }
        asked.advance(by: step, at: link)
    }

    /// How many streams a link's peer has asked for that are not over.
    func askedCount(on link: Int) -> UInt64 { link < asked.count ? asked.load(link) : 0 }

    /// Counts a connection that a worker is to make a stream of on a link, or one less.
    func countOffered(_ step: Int, on link: Int) {
        guard link < offered.count else { return }
        offered.advance(by: step, at: link)
    }

    /// Of how many connections streams are still to be made on a link.
    func offeredCount(on link: Int) -> UInt64 { link < offered.count ? offered.load(link) : 0 }

    /// A worker that has a lane of the link.
    func worker(for link: Int) -> Int? {
        guard link < words.count, case let mask = words.load(link), mask != 0 else { return nil }
        return mask.trailingZeroBitCount
    }

    /// The next worker behind one, in a circle, that has a lane of the link.
    func worker(for link: Int, behind number: Int) -> Int? {
        guard link < words.count, case let mask = words.load(link) & ~(1 << UInt64(number)), mask != 0 else {
            return nil
        }
        let behind = (mask >> UInt64(number)) << UInt64(number)
        return (behind == 0 ? mask : behind).trailingZeroBitCount
    }
}
