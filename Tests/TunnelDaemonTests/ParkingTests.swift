import Glibc
import LinuxSystem
import TendrilCore
import Testing
import TunnelDaemon
import TunnelDataPlane
import TunnelProtocol

@Suite("Requests that wait for a link")
struct ParkingTests {
    private func time(_ milliseconds: UInt64) -> MonotonicTime { MonotonicTime(nanoseconds: milliseconds * 1_000_000) }

    @Test("are tried once, once more whenever there is something new, and given up in time")
    func retries() throws {
        var ends: [CInt] = [-1, -1]
        let code = socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0, &ends)
        try #require(code == 0)
        let other = OwnedDescriptor(owning: ends[0])
        let socket = StreamSocket(owning: OwnedDescriptor(owning: ends[1]))
        var parked = Parking()
        parked.add(StreamRequest(socket, to: .apiServer, style: .plain, at: time(0), deadline: time(8000)))
        var tries = 0
        var losses = 0
        func lookAfter(_ milliseconds: UInt64) {
            let now = time(milliseconds)
            guard parked.isDue(at: now) else { return }
            parked.retry(
                at: now,
                { _ in
                    tries += 1
                    return false
                },
                giveUp: { _ in losses += 1 }
            )
        }
        for round in UInt64(0)..<20 { lookAfter(round * 50) }
        #expect(tries == 1 && parked.count == 1)
        parked.hurry()
        for round in UInt64(20)..<40 { lookAfter(round * 50) }
        #expect(tries == 2 && losses == 0)
        lookAfter(3000)
        #expect(tries == 2 && losses == 1 && parked.count == 0)
        _ = other.rawValue
    }
}
