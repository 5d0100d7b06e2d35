import TendrilCore
import TestSupport
import Testing
import TunnelProtocol

@Suite("Frames")
struct FrameTests {
    @Test("survive their own bytes")
    func surviveBytes() throws {
        for header in [
            FrameHeader(kind: .packet, length: 65_000), FrameHeader(kind: .heartbeat, length: 16),
            FrameHeader(kind: .drain, length: 0),
        ] {
            var bytes = [UInt8](repeating: 0, count: 4)
            var span = bytes.mutableSpan
            header.write(to: &span)
            #expect(try FrameHeader(bytes.span) == header)
        }
    }

    @Test(
        "of an unknown type or an impossible length are violations",
        arguments: [
            ([0, 0, 0, 1], ProtocolViolation.unknownType), ([8, 0, 0, 1], .unknownType),
            ([255, 0, 0, 0], .unknownType),
            ([2, 0, 0, 15], .badLength), ([2, 0, 0, 17], .badLength), ([5, 0, 0, 1], .badLength),
            ([16, 0, 0, 29], .badLength), ([16, 1, 0, 60], .badLength), ([16, 255, 255, 255], .badLength),
            ([1, 0, 0, 0], .badLength), ([1, 0, 64, 1], .badLength), ([6, 0, 0, 1], .badLength),
            ([6, 0, 1, 0], .badLength), ([7, 0, 0, 1], .badLength), ([31, 0, 0, 0], .unknownType),
            ([32, 0, 0, 11], .badLength), ([33, 0, 0, 7], .badLength), ([34, 0, 0, 12], .badLength),
            ([34, 0, 252, 13], .badLength), ([35, 0, 0, 19], .badLength), ([36, 0, 0, 13], .badLength),
            ([37, 0, 0, 5], .badLength), ([38, 0, 0, 0], .badLength), ([38, 0, 42, 2], .badLength),
            ([39, 0, 0, 24], .badLength), ([39, 0, 42, 5], .badLength), ([40, 0, 0, 0], .unknownType),
        ] as [([UInt8], ProtocolViolation)]
    )
    func refusesOthers(bytes: [UInt8], violation: ProtocolViolation) {
        #expect(throws: violation) { try FrameHeader(bytes.span) }
    }
}

@Suite("Hellos")
struct HelloTests {
    private let hello = Hello(
        session: 0x0123_4567_89AB_CDEF_0123_4567_89AB_CDEF,
        lane: 1,
        lanes: 2,
        mtu: 1500,
        features: [.packets, .segmentation],
        addresses: [TestPacket.address("10.98.0.2"), TestPacket.address("fd98::2")],
        networks: [IPPrefix("10.2.0.0/16"), IPPrefix("fd02::/64")].compactMap { $0 },
        software: "test 1"
    )

    @Test("survive their own bytes")
    func surviveBytes() throws { #expect(try Hello(hello.payload) == hello) }

    @Test("pass over fields that they do not know")
    func passOverUnknown() throws { #expect(try Hello(hello.payload + [200, 0, 2, 1, 2]) == hello) }

    @Test("with a field twice, cut short, or missing are violations")
    func refusesBroken() {
        let payload = hello.payload
        #expect(throws: ProtocolViolation.badHello) { try Hello(payload + payload.prefix(5)) }
        #expect(throws: ProtocolViolation.badHello) { try Hello(Array(payload.dropFirst(5))) }
        // The last field, the number of instances, may be missing as a whole: four bytes.
        for length in 0..<payload.count where length != payload.count - 4 {
            #expect(throws: ProtocolViolation.badHello) { try Hello(Array(payload.prefix(length))) }
        }
        #expect(throws: ProtocolViolation.badHello) { try Hello(payload.dropLast() + [0]) }
        #expect(throws: ProtocolViolation.badHello) { try Hello(payload.dropLast() + [17]) }
    }

    @Test("never trap, whatever the bytes")
    func neverTraps() {
        var random = SeededGenerator(seed: 3)
        for _ in 0..<100_000 {
            var bytes = hello.payload
            for _ in 0..<Int(random.next() % 5) {
                bytes[Int(random.next() % UInt64(bytes.count))] = UInt8.random(in: 0...255, using: &random)
            }
            if let read = try? Hello(bytes) { #expect((1...16).contains(read.lanes) && read.lane < 16) }
        }
    }

    @Test("keep a close notice printable, whatever the peer wrote")
    func closeIsPrintable() throws {
        let notice = try CloseNotice(([0, 3] + Array("bad\n\u{1B}[31m".utf8) + [0xFF]).span)
        #expect(notice.detail == "bad??[31m?" && notice.reason == .protocolViolation)
        #expect(throws: ProtocolViolation.badClose) { try CloseNotice([0, 99].span) }
    }
}

@Suite("The gate")
struct GateTests {
    private let random = (0..<32).map { UInt8($0) }
    private let now = MonotonicTime(nanoseconds: 5_000_000_000)

    /// A stand-in for the MAC: what matters here is who calls it with what.
    private func mac(_ message: [UInt8]) -> [UInt8] {
        var result = [UInt8](repeating: 1, count: 32)
        for (index, byte) in message.enumerated() { result[index % 32] = result[index % 32] &* 31 &+ byte }
        return result
    }

    private func hello(_ gate: [UInt8]?, random: [UInt8]? = nil, trailing: [UInt8] = []) -> [UInt8] {
        var extensions: [UInt8] = [0, 43, 0, 3, 2, 3, 4]
        if let gate { extensions += [0xFF, 0x54, UInt8(gate.count >> 8), UInt8(gate.count & 0xFF)] + gate }
        var body: [UInt8] = [3, 3] + (random ?? self.random) + [0, 0, 2, 0x13, 0x01, 1, 0]
        body += [UInt8(extensions.count >> 8), UInt8(extensions.count & 0xFF)] + extensions + trailing
        let record = [1, 0, UInt8(body.count >> 8), UInt8(body.count & 0xFF)] + body
        return [22, 3, 1, UInt8(record.count >> 8), UInt8(record.count & 0xFF)] + record
    }

    private func admit(_ bytes: [UInt8], at unixTime: UInt64, gate: Gate = Gate()) throws {
        guard case .complete(let hello) = ClientHello.read(bytes.span) else { throw Gate.Refusal.notTLS }
        try gate.admit(hello, unixTime: unixTime, at: now) { mac($0) == $1 }
    }

    private func token(_ time: UInt64, random: [UInt8]? = nil) -> [UInt8] {
        GateToken(random: random ?? self.random, unixTime: time, authenticate: mac).payload
    }

    private func read(_ bytes: [UInt8]) -> ClientHello.Reading { ClientHello.read(bytes.span) }

    @Test("lets in who holds the key, once")
    func letsHolderIn() throws {
        let gate = Gate()
        let bytes = hello(token(1_000_000))
        try admit(bytes, at: 1_000_010, gate: gate)
        #expect(throws: Gate.Refusal.replay) { try admit(bytes, at: 1_000_011, gate: gate) }
    }

    @Test("turns away who shows nothing, another's token, or one of another time")
    func turnsOthersAway() {
        #expect(throws: Gate.Refusal.noToken) { try admit(hello(nil), at: 1_000_000) }
        #expect(throws: Gate.Refusal.badToken) { try admit(hello([1, 2, 3]), at: 1_000_000) }
        var changed = token(1_000_000)
        changed[40] ^= 1
        #expect(throws: Gate.Refusal.badToken) { try admit(hello(changed), at: 1_000_000) }
        let foreign = token(1_000_000, random: Array(repeating: 9, count: 32))
        #expect(throws: Gate.Refusal.badToken) { try admit(hello(foreign), at: 1_000_000) }
        #expect(throws: Gate.Refusal.clock) { try admit(hello(token(1_000_000)), at: 1_000_400) }
        #expect(throws: Gate.Refusal.clock) { try admit(hello(token(1_000_800)), at: 1_000_400) }
    }

    @Test("waits for a hello to be whole, and knows what is none")
    func readsHello() {
        let bytes = hello(token(1))
        for length in 5..<bytes.count { #expect(read(Array(bytes.prefix(length))) == .incomplete(needed: bytes.count)) }
        #expect(read([]) == .incomplete(needed: 5))
        for other in [
            [0x47, 0x45, 0x54], [22, 2], [22, 3, 1, 0xFF, 0xFF], [22, 3, 1, 0, 2, 1, 1], hello(nil, trailing: [0]),
        ] as [[UInt8]] {
            #expect(read(other) == .notTLS)
        }
    }

    @Test("never traps, whatever the bytes")
    func neverTraps() {
        var generator = SeededGenerator(seed: 5)
        let seed = hello(token(1))
        for _ in 0..<200_000 {
            var bytes = seed
            for _ in 0..<Int(generator.next() % 6) {
                bytes[Int(generator.next() % UInt64(bytes.count))] = UInt8.random(in: 0...255, using: &generator)
            }
            bytes.removeLast(Int(generator.next() % UInt64(bytes.count)))
            _ = ClientHello.read(bytes.span)
        }
    }
}
