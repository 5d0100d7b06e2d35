/// How much a worker has to carry, to decide whether one worker reads all queues of the TUN device, or each its own.
///
/// With little to do one thread that is awake is faster than several that wake each other; with much to do they share it.
package struct QueueLoad {
    /// What one turn carries that is heavy: packets from TUN, or bytes from TUN or from a lane.
    private static var heavyPackets: Int { 16 }
    private static var heavyBytes: Int { 64 * 1024 }
    /// How many such turns in one tick make it heavy: a burst alone does not.
    private static var heavyTurns: Int { 4 }
    /// How long it must not have been heavy for one worker to do, in nanoseconds.
    static var calm: UInt64 { 5_000_000_000 }

    private var turns = 0

    package init() {}

    /// Notes what a turn carried.
    @inline(__always)
    package mutating func note(packets: Int, bytes: Int) {
        if packets >= Self.heavyPackets || bytes >= Self.heavyBytes { turns &+= 1 }
    }

    /// Notes that a lane took no more.
    package mutating func noteBlocked() { turns &+= 1 }

    /// Whether the load was heavy since this was asked last.
    package mutating func take() -> Bool {
        defer { turns = 0 }
        return turns >= Self.heavyTurns
    }
}
