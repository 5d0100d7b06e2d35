package import LinuxSystem
import TendrilCore
package import TunnelProtocol

/// What a worker is asked, and what it tells.
extension Worker {
    /// What control code asks of a worker.
    package enum Message: Sendable {
        /// Carry packets over this lane; an older one of the same number is drained.
        case adopt(Lane)
        /// Use these rules from now on.
        case rules(PacketSide)
        /// The peer of a link may speak for these networks from now on.
        case bind(link: Int, RouteTable<Bool>)
        /// End all lanes of a link.
        case drop(link: Int, CloseNotice)
        /// End one connection.
        case dropLane(link: Int, generation: UInt64, CloseNotice)
        /// Ask every peer for fresh lanes.
        case renew
        /// Tell every peer to open new streams elsewhere.
        case retire
        /// Send a frame of another worker that has no lane of the link.
        case forward(link: Int, hash: UInt64, frame: [UInt8])
        /// Let the kernel give no UDP super-packets any more: a peer cannot take them.
        case refuseDatagramSegmentation
        /// Make a stream of a connection of this side, over a lane of a link; see `offer`.
        case open(StreamRequest, link: Int, lane: Int)
        /// A name was looked up for a stream; `nil` where it is not known.
        case resolved(StreamKey, [SocketAddress]?)
        /// Another worker's lane is up, over which streams that wait here may go on.
        case laneUp
        /// Another worker's lane has told that a run of a link's peer has ended.
        case peerEnded(link: Int, run: UInt128?)
        /// Streams that go from lane to lane have come here, or are looked for.
        case moving(StreamParty)
        /// Read this worker's own queue of the TUN device from now on, or leave that to the first worker.
        case readOwnQueue(Bool)
        /// Read the queue of another worker, which does so no more.
        case readQueue(Int)
        /// Say goodbye on every lane and end the thread.
        case stop
    }

    /// What a worker tells control code.
    package enum Event: Sendable {
        case ended(LanePeer, LaneEnd)
        case renewalRequested(LanePeer)
        /// The peer is about to end: new streams are better opened elsewhere.
        case retiring(LanePeer)
        /// A stream could not be opened; whoever asked for it waits for an answer.
        case refused(StreamRequest, StreamReset, link: Int)
        /// The TUN device is gone; nothing can be carried any more.
        case deviceLost(SystemError)
    }

    /// Does what control code or another worker asks.
    func handle(_ message: Message, at now: MonotonicTime) {
        switch message {
        case .adopt(let lane): adopt(lane, at: now)
        case .rules(let side): self.side = side
        case .bind(let link, let bound):
            for lane in liveLanes where lane.peer.link == link { lane.peer.bound = bound }
        case .forward(let link, let hash, let frame): take(frame, link: link, hash: hash, at: now)
        case .refuseDatagramSegmentation: _ = tun?.offer([.checksum, .segmentation])
        case .drop(let link, let notice):
            for lane in liveLanes where lane.peer.link == link { close(lane, .notice(notice)) }
            dropStreams(of: link, because: StreamReset(.linkDown), at: now)
        case .dropLane(let link, let generation, let notice):
            for lane in liveLanes where lane.peer.link == link && lane.peer.generation == generation {
                close(lane, .notice(notice))
            }
        case .renew:
            for lane in liveLanes where lane.machine.acceptsPackets {
                lane.machine.requestRenewal()
                markPending(lane)
            }
        case .retire:
            isRetiring = true
            for lane in liveLanes {
                lane.machine.retire()
                markPending(lane)
            }
        case .open(let request, let link, let lane):
            open(request, link: link, lane: lane, at: now)
            laneMap.countOffered(-1, on: link)
        case .resolved(let key, let addresses): resolved(key, addresses, at: now)
        case .laneUp: mayMoveStreams = true
        case .peerEnded(let link, let run): lostPeer(run, of: link, at: now)
        case .moving(let party): handle(party, at: now)
        case .readOwnQueue(let isWanted): readOwnQueue(isWanted)
        case .readQueue(let number): if !isWide { watchQueue(number) }
        case .stop:
            // A reset, so that nobody takes what he has for all there is.
            for set in streamSets.values {
                for stream in Array(set.streams.values) {
                    discard(stream, because: StreamReset(.linkDown), tellPeer: false, at: now)
                }
            }
            for lane in liveLanes { close(lane, .notice(CloseNotice(.shuttingDown))) }
            isStopping = true
        }
    }
}
