import TendrilCore
import Testing
import TunnelProtocol

@Suite("Who waits at a door")
struct WaitingRoomTests {
    private func time(_ milliseconds: UInt64) -> MonotonicTime { MonotonicTime(nanoseconds: milliseconds * 1_000_000) }

    @Test("leaves when its time is up, whatever others do, and not before")
    func leavesInTime() {
        var room = WaitingRoom<String>(capacity: 10, patience: .milliseconds(100))
        for number in 0..<3 as Range<UInt64> { _ = room.enter("\(number)", as: number, at: time(number * 10)) }
        let (deadline, early, late) = (room.deadline(), room.overdue(at: time(99)), room.overdue(at: time(100)))
        #expect(deadline == time(100) && early == nil && late == 0 && room[0] == "0")
        // One who went by itself is waited for no more.
        let gone = [room.leave(0), room.leave(1), room.leave(1)]
        #expect(gone == ["0", "1", nil] && room[0] == nil)
        let (next, tooEarly, last) = (room.deadline(), room.overdue(at: time(119)), room.overdue(at: time(120)))
        #expect(next == time(120) && tooEarly == nil && last == 2)
        _ = room.leave(2)
        let nobody = room.overdue(at: time(9999))
        #expect(nobody == nil && room.count == 0)
    }

    @Test("leaves for the next where it is full, who came first before all others")
    func leavesForTheNext() {
        var room = WaitingRoom<UInt64>(capacity: 256, patience: .seconds(5))
        var gone: [UInt64] = []
        for number in 0..<20_000 as Range<UInt64> {
            guard let leaver = room.enter(number, as: number, at: time(1)) else { continue }
            if let guest = room.leave(leaver) { gone.append(guest) }
        }
        #expect(gone == Array(0..<19_744) && room.count == 256 && room[19_999] == 19_999)
    }
}
