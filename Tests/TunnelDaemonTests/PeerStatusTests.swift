import Glibc
import LinuxSystem
import TendrilCore
import TestSupport
import Testing
import TunnelDaemon

@Suite("The status of a peer that says what it likes")
struct PeerStatusTests {
    /// What would move a cursor, end a line, or overflow; in each field that a table shows.
    private static let hostile = #""\u001b[2J\u009b31m\u202e\n\r\u007fx""#
    private static let report = """
        {"apiVersion": \(hostile), "kind": \(hostile), "version": \(hostile), "role": \(hostile), "identity": \(hostile),
        "startedAt": \(UInt64.max), "certificateExpiry": 0, "linksLive": \(Int.max), "linksExpected": \(Int.min),
        "links": [{"name": \(hostile), "endpoint": \(hostile), "state": \(hostile), "software": \(hostile), "lanesUp": 1,
        "lanesWanted": 1, "reconnects": 0, "lastError": \(hostile), "lastErrorAt": 1, "lanes": [{"lane": \(Int.max),
        "address": \(hostile), "tls": \(hostile), "upSeconds": \(UInt64.max), "roundTrip": \(UInt64.max),
        "queueBytes": \(UInt64.max), "queuePackets": 0, "queueSojourn": \(UInt64.max), "sendRate": \(UInt64.max),
        "receiveRate": \(UInt64.max / 8 + 1), "sentBytes": 0, "receivedBytes": 0, "retransmits": \(UInt64.max)}]},
        {"name": \(hostile), "endpoint": \(hostile), "state": \(hostile), "software": \(hostile), "lanesUp": 0,
        "lanesWanted": 1, "reconnects": 0, "lanes": []}],
        "nodes": \(Int.max), "drops": {\(hostile): \(UInt64.max)}, "streams": {"active": \(UInt64.max), "opened": 0,
        "broken": 0, "resumed": 0, "heldBytes": 0, "refused": {\(hostile): 1}}, "log": [\(hostile), \(hostile)],
        "handshakes": {}, "lastError": \(hostile)}
        """

    private static func isPrintable(_ text: String) -> Bool {
        text.utf8.allSatisfy { $0 == 0x0A || (0x20...0x7E).contains($0) }
    }

    @Test("is shown in printable characters only, as a table and as JSON, and no figure of it traps")
    func isPrintable() throws {
        let report = try StatusReport(json: Array(Self.report.utf8))
        let table = StatusTable.text(report, lines: .max, at: 1)
        #expect(Self.isPrintable(table) && table.contains("?[2J"), "\(table.debugDescription)")
        // Lines of the table's own, and none of the peer's.
        #expect(table.split(separator: "\n", omittingEmptySubsequences: false).count == 21, "\(table)")
        #expect(table.contains("certificate: expired at 1970-01-01T00:00:00Z"), "\(table)")
        #expect(StatusTable.text(report, at: 0).contains("certificate: valid until 1970-01-01T00:00:00Z"))
        let json = try report.json()
        #expect(Self.isPrintable(json), "\(json.debugDescription)")
        #expect(try StatusReport(json: Array(json.utf8)).log == report.log)
    }

    /// What is said of a peer that answers with this.
    private static func complaint(about answer: [UInt8], inPieces isSlow: Bool = false) throws -> String {
        let directory = try TestDirectory()
        defer { withExtendedLifetime(directory) {} }
        let path = VPNConfiguration.peerSocket(beside: "\(directory.path)/server.sock")
        let listener = try LocalListener(path: path, mode: 0o600)
        let descriptor = listener.socket.rawDescriptor
        let thread = try WorkerThread(name: "peer") {
            var wanted = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            poll(&wanted, 1, 10_000)
            let visitor = accept(descriptor, nil, nil)
            var request = [UInt8](repeating: 0, count: 1024)
            _ = recv(visitor, &request, request.count, 0)
            var rest = answer[...]
            while case let piece = isSlow ? rest.prefix(1) : rest,
                case let count = send(visitor, Array(piece), piece.count, CInt(MSG_NOSIGNAL)), count > 0
            {
                rest = rest.dropFirst(count)
                if isSlow { usleep(100_000) }
            }
            close(visitor)
        }
        var complaint = "none"
        do {
            let patience: Nanoseconds = isSlow ? .seconds(1) : .seconds(60)
            _ = try TunnelDaemon.status(ofPeer: "n", socket: "\(directory.path)/server.sock", within: patience)
        } catch {
            complaint = "\(error)"
        }
        thread.join()
        _ = listener.socket.rawDescriptor
        return complaint
    }

    @Test("is waited for up to a bound, however its bytes come")
    func isWaitedFor() throws {
        let begin = Clock.now()
        let slow = Array("HTTP/1.1 200 OK\r\n\r\n".utf8) + [UInt8](repeating: 0x20, count: 300)
        #expect(try Self.complaint(about: slow, inPieces: true) == "no answer in time")
        #expect(Clock.now().since(begin) < Nanoseconds.seconds(20))
    }

    /// A connection that nobody takes.
    private final class Waiting {
        let descriptor: OwnedDescriptor
        init(at address: SocketAddress) throws {
            descriptor = try address.connectBlocking(within: .milliseconds(50))
        }
    }

    @Test("is waited for up to a bound where a daemon stands still and takes no connection")
    func standsStill() throws {
        let directory = try TestDirectory()
        defer { withExtendedLifetime(directory) {} }
        let path = VPNConfiguration.peerSocket(beside: "\(directory.path)/server.sock")
        let listener = try LocalListener(path: path, mode: 0o600, backlog: 1)
        let address = try #require(SocketAddress(path: path))
        var waiting: [Waiting] = []
        while waiting.count < 100, let next = try? Waiting(at: address) { waiting.append(next) }
        let begin = Clock.now()
        let error = #expect(throws: (any Error).self) {
            _ = try TunnelDaemon.status(ofPeer: "n", socket: "\(directory.path)/server.sock", within: .seconds(1))
        }
        #expect(error.map { "\($0)" } == "no answer in time")
        #expect(Clock.now().since(begin) < Nanoseconds.seconds(20))
        _ = (waiting.count, listener.socket.rawDescriptor)
    }

    @Test("is read up to a bound, and what is wrong with it is told in printable characters")
    func isBounded() throws {
        let head = Array("HTTP/1.1 200 OK\r\n\r\n".utf8)
        let endless = head + Array("{\"log\": [\"".utf8) + [UInt8](repeating: 0x61, count: 4 << 20)
        #expect(try Self.complaint(about: endless) == "the answer has more than 1 MiB")
        let words = Self.report.replacing("{\(Self.hostile): 1}", with: "{\(Self.hostile): []}")
        let complaint = try Self.complaint(about: head + Array(words.utf8))
        #expect(complaint.hasPrefix("the answer cannot be read: ") && Self.isPrintable(complaint), "\(complaint)")
        #expect(try Self.complaint(about: head + Array(Self.report.utf8)) == "none")
    }
}
