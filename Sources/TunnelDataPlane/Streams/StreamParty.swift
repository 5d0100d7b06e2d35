import TunnelProtocol

/// Streams of one link that go from lane to lane together, with their sockets, books and bytes.
///
/// It belongs to one worker's thread at a time: whoever takes it out of a mailbox.
package final class StreamParty: @unchecked Sendable {
    /// What is to be done with it next.
    enum Step {
        /// The first worker has to begin a search for it.
        case wanted
        /// It goes from worker to worker, and each adds what it has.
        case searching
        /// Every worker was asked.
        case searched
        /// It has come to where its streams go on.
        case coming
    }

    let link: Int
    /// The lane that they come from, on a client; the one that they were named on, on a server.
    let lane: Int
    /// Which run of the peer they lead to.
    let run: UInt128
    var step: Step
    var streams: [Stream]

    // Of a server.
    /// The worker that the lane belongs to.
    let asker: Int
    /// The connection that they were named on.
    let generation: UInt64
    /// By which number they were named.
    let number: UInt32
    /// What the client has of them.
    let entries: [StreamFrame.ResumeEntry]

    /// A client's streams that are to go on somewhere else.
    init(_ streams: [Stream], of set: StreamSet, run: UInt128) {
        (link, lane, self.run, step, self.streams) = (set.link, set.lane, run, .coming, streams)
        (asker, generation, number, entries) = (0, 0, 0, [])
    }

    /// Streams that a client has named to a server on a lane, and that are not there.
    init(
        naming entries: [StreamFrame.ResumeEntry],
        number: UInt32,
        on lane: LanePeer,
        run: UInt128,
        for asker: Int
    ) {
        (link, self.lane, generation, self.run) = (lane.link, lane.lane, lane.generation, run)
        (step, streams) = (.wanted, [])
        (self.asker, self.number, self.entries) = (asker, number, entries)
    }
}
