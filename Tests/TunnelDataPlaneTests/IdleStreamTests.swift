import Glibc
import LinuxSystem
import TendrilCore
import Testing
import TunnelDataPlane

@Suite("Streams that wait", .serialized)
struct IdleStreamTests {
    @Test("take at most 2 KiB at either end, once what they carried is there")
    func memory() throws {
        try #require(AllocationProbe.isCounting, "sanitizers need the allocator for themselves")
        let count = 500
        // Each has four descriptors in this process.
        try #require(Privileges.raiseDescriptorLimit() > 5 * count)
        let pair = try WorkerPair()
        var streams: [StreamEnds] = []
        streams.reserveCapacity(count + 20)
        func open(_ number: Int) throws {
            for _ in 0..<number {
                let ends = try StreamEnds(through: pair)
                ends.carry(1000, through: pair)
                streams.append(ends)
            }
            // They are counted ten times a second, and a peer may take as long to say what it has.
            for turn in 0..<10_000 where turn < 500 || holdBytes(pair) {
                pair.turn()
                usleep(1000)
            }
        }
        // What workers and the lane have of their own is there.
        try open(20)
        let before = AllocationProbe.heldBytes
        try open(count)
        let each = (AllocationProbe.heldBytes - before) / Int64(count)
        #expect(each > 0 && each <= 2 * 2048, "\(each) bytes at both ends")
        for worker in [pair.server.worker, pair.client.worker] {
            #expect(worker.streamCounters[.active] == UInt64(streams.count))
        }
        #expect(!holdBytes(pair))
    }

    /// Whether bytes of any stream are kept, for which there is other memory.
    private func holdBytes(_ pair: WorkerPair) -> Bool {
        [pair.server.worker, pair.client.worker].contains { $0.streamCounters[.heldBytes] > 0 }
    }
}
