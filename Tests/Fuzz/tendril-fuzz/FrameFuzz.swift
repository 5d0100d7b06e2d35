import TendrilCore
import TunnelProtocol

/// The decoder of frames and of everything in them but packets: the plaintext of a lane, from its first byte.
enum FrameFuzz {
    static let target = FuzzTarget(name: "frames", seeds: seeds, run: run)

    private static let hello = Hello(
        session: 1,
        lane: 0,
        lanes: 2,
        mtu: 1500,
        features: [.packets, .streams],
        addresses: [IPAddress("10.98.0.2"), IPAddress("fd98::2")].compactMap { $0 },
        networks: [IPPrefix("10.2.0.0/16"), IPPrefix("fd02::/64")].compactMap { $0 },
        software: "fuzz"
    )

    private static let seeds: [[UInt8]] = {
        let id: [UInt8] = [0, 0, 0, 2]
        let zeros = [UInt8](repeating: 0, count: 8)
        let target = StreamTarget.apiServer.bytes
        let entry = id + zeros + [0, 0, 0, 0, 0, 2, 0, 0, 1]
        let control = [frame(.hello, hello.payload), frame(.heartbeat, zeros + zeros), frame(.echo, zeros + zeros)]
        let ends = [frame(.drain), frame(.retire), frame(.renew), frame(.close, CloseNotice(.silent, "why").bytes)]
        let streams = [
            frame(.streamOpen, id + [0, 2, 0, 0] + target), frame(.streamOpened, id + [0, 2, 0, 0]),
            frame(.streamData, id + zeros + [1, 2, 3]), frame(.streamWindow, id + zeros + zeros),
            frame(.streamEnd, id + zeros), frame(.streamReset, id + StreamReset(.refused, "why").bytes),
            frame(.streamResume, [1] + entry + entry),
        ]
        let parts = control + ends + streams
        return parts + [parts.flatMap { $0 }]
    }()

    private static func frame(_ kind: FrameHeader.Kind, _ payload: [UInt8] = []) -> [UInt8] {
        head(FrameHeader(kind: kind, length: payload.count)) + payload
    }

    private static func head(_ header: FrameHeader) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: FrameHeader.byteCount)
        var span = bytes.mutableSpan
        header.write(to: &span)
        return bytes
    }

    private static func run(_ bytes: [UInt8]) {
        var rest = bytes[...]
        var lane = LaneMachine(at: MonotonicTime(nanoseconds: 0))
        do throws(ProtocolViolation) {
            while rest.count >= FrameHeader.byteCount {
                let header = try FrameHeader(Array(rest).span)
                precondition(head(header).elementsEqual(rest.prefix(FrameHeader.byteCount)))
                precondition(header.length <= FrameHeader.maximumPayload)
                rest = rest.dropFirst(FrameHeader.byteCount)
                guard rest.count >= header.length else { return }
                try take(header.kind, Array(rest.prefix(header.length)), &lane)
                rest = rest.dropFirst(header.length)
            }
        } catch {}
    }

    private static func take(
        _ kind: FrameHeader.Kind,
        _ payload: [UInt8],
        _ lane: inout LaneMachine
    ) throws(ProtocolViolation) {
        switch kind {
        case .hello:
            let hello = try Hello(payload)
            let again = try? Hello(hello.payload)
            precondition(again == hello, "a hello changes on its way")
        case .packet: break
        case .streamOpen:
            let target = try StreamTarget(StreamFrame.rest(payload.span, after: StreamFrame.openHead))
            precondition((try? StreamTarget(target.bytes)) == target)
        case .streamReset:
            let reset = try StreamReset(StreamFrame.rest(payload.span, after: 4))
            precondition(reset.description.utf8.allSatisfy { (0x20...0x7E).contains($0) })
        case .streamResume:
            let resume = try StreamFrame.resume(payload.span)
            precondition(resume.entries.count <= StreamFrame.maximumResumeEntries)
        case .streamOpened, .streamData, .streamWindow, .streamEnd: _ = StreamFrame.stream(payload.span)
        case .heartbeat, .echo, .renew, .drain, .close, .retire:
            let now = MonotonicTime(nanoseconds: 1_000_000)
            _ = try lane.receive(kind, payload.span, at: now)
            while lane.advance(to: now, isQueueEmpty: true) != nil {}
        }
    }
}
