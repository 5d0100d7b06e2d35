import TendrilCore
import TestSupport
import Testing
import TunnelProtocol

@Suite("What streams are asked for with")
struct StreamFormTests {
    private static func read(_ text: String) -> ConnectHead { ConnectHead.read(Array(text.utf8).span) }

    @Test("The request of kube-apiserver is understood, byte for byte")
    func request() throws {
        let text = "CONNECT 10.250.0.11:10250 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
        let address = try #require(IPAddress("10.250.0.11"))
        #expect(Self.read(text) == .request(.address(address, port: 10250), length: text.utf8.count))
        for cut in 0..<text.utf8.count { #expect(ConnectHead.read(Array(text.utf8.prefix(cut)).span) == .incomplete) }
        #expect(Self.read(text + "early") == .request(.address(address, port: 10250), length: text.utf8.count))
        #expect(
            Self.read("CONNECT worker-1:10250 HTTP/1.1\r\n\r\n") == .request(.name("worker-1", port: 10250), length: 35)
        )
    }

    @Test(
        "Anything else is answered with its reason",
        arguments: [
            ("GET / HTTP/1.1\r\n\r\n", 405), ("CONNECT 10.0.0.1:1\r\n\r\n", 400), ("\r\n\r\n", 400),
            ("CONNECT 10.0.0.1 HTTP/1.1\r\n\r\n", 400), ("CONNECT 10.0.0.1:0 HTTP/1.1\r\n\r\n", 400),
            ("CONNECT 10.0.0.1:99999 HTTP/1.1\r\n\r\n", 400), ("CONNECT  10.0.0.1:1 HTTP/1.1\r\n\r\n", 400),
            ("CONNECT 10.0.0.1:1 HTTP/2\r\n\r\n", 400), ("CONNECT 0x7f000001:1 HTTP/1.1\r\n\r\n", 400),
            ("CONNECT 2130706433:1 HTTP/1.1\r\n\r\n", 400), ("CONNECT 127.1:1 HTTP/1.1\r\n\r\n", 400),
            ("CONNECT fe80::1:1 HTTP/1.1\r\n\r\n", 400), ("CONNECT [::1%lo]:1 HTTP/1.1\r\n\r\n", 400),
            ("CONNECT user@10.0.0.1:1 HTTP/1.1\r\n\r\n", 400),
            ("CONNECT 10.0.0.1:1 HTTP/1.1\r\nno colon\r\n\r\n", 400),
            ("CONNECT 10.0.0.1:1 HTTP/1.1\r\n: x\r\n\r\n", 400),
            ("CONNECT 10.0.0.1:1 HTTP/1.1\r\nA b: x\r\n\r\n", 400),
            ("CONNECT 10.0.0.1:1 HTTP/1.1\r\nA: " + String(repeating: "x", count: 9000) + "\r\n\r\n", 431),
        ]
    )
    func bad(text: String, status: Int) {
        guard case .bad(let refusal) = Self.read(text) else {
            Issue.record("taken: \(text)")
            return
        }
        #expect(refusal.status == status, "\(text)")
    }

    @Test("Bytes of all kinds trap nothing and yield no target that was not asked for")
    func fuzz() {
        var random = SeededGenerator(seed: 20_261_124)
        let good = Array("CONNECT [fd02::10]:443 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".utf8)
        for _ in 0..<50_000 {
            var bytes = good
            for _ in 0..<Int.random(in: 1...6, using: &random) {
                let index = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0...2, using: &random) {
                case 0: bytes[index] = UInt8.random(in: .min ... .max, using: &random)
                case 1: bytes.remove(at: index)
                default: bytes.insert(UInt8.random(in: .min ... .max, using: &random), at: index)
                }
            }
            if case .request(let target, let length) = ConnectHead.read(bytes.span) {
                #expect(length <= bytes.count)
                #expect((try? StreamTarget(target.bytes)) == target)
            }
        }
    }

    @Test("Targets in frames trap nothing, and are what was written")
    func targets() throws {
        var random = SeededGenerator(seed: 5)
        for text in ["10.2.0.1:80", "[fd02::1]:443", "worker-1:10250", "a.b.c:1"] {
            let target = try #require(StreamTarget(authority: text))
            #expect(try StreamTarget(target.bytes) == target)
            for _ in 0..<2000 {
                var bytes = target.bytes
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: .min ... .max, using: &random)
                _ = try? StreamTarget(bytes)
                _ = try? StreamTarget(Array(bytes.prefix(Int.random(in: 0...bytes.count, using: &random))))
            }
        }
        #expect(try StreamTarget(StreamTarget.apiServer.bytes) == .apiServer)
    }

    @Test("The answer holds its cause in one line, whatever the cause holds")
    func answers() {
        let refusal = HTTPRefusal(StreamReset(.timeout, "a\r\nSet-Cookie: x\u{7F}"))
        #expect(
            String(decoding: refusal.bytes, as: UTF8.self)
                == "HTTP/1.1 504 no answer in time: a??Set-Cookie: x?\r\n\r\n"
        )
    }

    @Test("Another path is tried after any refusal but the target's own answer, a rule's, and that of whoever asked")
    func elsewhere() {
        let answers: Set<StreamReset.Reason> = [.broken, .cancelled, .forbidden, .refused]
        for reason in StreamReset.Reason.allCases {
            #expect(reason.mayWorkElsewhere == !answers.contains(reason), "\(reason)")
        }
    }

    @Test("Frames of streams are read as they were written")
    func resumes() throws {
        var bytes = [UInt8](repeating: 0, count: 1 + 2 * StreamFrame.resumeEntryLength)
        let entries = [
            StreamFrame.ResumeEntry(stream: 7, received: 1 << 40, limit: .max, isOpen: true),
            StreamFrame.ResumeEntry(stream: .max, received: 0, limit: 1, isOpen: false),
        ]
        var span = bytes.mutableSpan
        span[0] = 1
        for (index, entry) in entries.enumerated() {
            StreamFrame.write(entry, at: 1 + index * StreamFrame.resumeEntryLength, to: &span)
        }
        let read = try StreamFrame.resume(bytes.span)
        #expect(read.entries == entries && read.isLast)
        bytes[0] = 2
        #expect(throws: ProtocolViolation.badStream) { try StreamFrame.resume(bytes.span) }
        #expect(throws: ProtocolViolation.badStream) { try StreamFrame.resume(Array(bytes.dropLast()).span) }
    }
}

@Suite("Where streams lead")
struct StreamRouteTests {
    @Test(
        "nowhere that is this machine, its link, a group or metadata, in any notation",
        arguments: [
            "127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "169.254.169.254", "169.254.0.1", "224.0.0.1",
            "239.255.255.255", "240.0.0.1", "255.255.255.255", "::", "::1", "fe80::1", "febf::1", "ff02::1",
            "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe",
            "fd00:ec2::254", "100.100.100.200", "192.0.0.192",
        ]
    )
    func never(text: String) throws {
        let address = try #require(IPAddress(text))
        #expect(address.isNeverATarget)
        let everything = try [#require(IPPrefix("0.0.0.0/0")), #require(IPPrefix("::/0"))]
        let routes = StreamRoutes(shoot: everything, paths: [])
        #expect(routes.refusal(of: .address(address, port: 80))?.status == 403)
    }

    @Test("nowhere else by any way of writing it: thousands of authorities, none of which escapes")
    func corpus() throws {
        let everything = try [#require(IPPrefix("0.0.0.0/0")), #require(IPPrefix("::/0"))]
        let open = StreamRoutes(shoot: everything, paths: [])
        let shoot = StreamRoutes(shoot: [try #require(IPPrefix("10.2.0.0/16"))], paths: [])
        var count = 0
        for text in ["127.0.0.1", "169.254.169.254", "0.0.0.0", "224.0.0.1", "100.100.100.200", "10.1.0.10", "8.8.8.8"]
        {
            let isForeign = text == "10.1.0.10" || text == "8.8.8.8"
            for host in try Self.writings(of: #require(IPAddress(text))) {
                for port in ["443", "0443", "65535", "1", " 443", "443 ", "+443", "0x1bb", "70000", "443/", "443#"] {
                    count += 1
                    let head = "CONNECT \(host):\(port) HTTP/1.1\r\nHost: 10.2.0.1\r\n\r\n"
                    guard case .request(let target, _) = ConnectHead.read(Array(head.utf8).span) else { continue }
                    if case .name(let name, _) = target {
                        // A name goes to the shoot, which judges what it stands for; it must be one for resolvers, too.
                        #expect(StreamTarget.isName(name) && name.last?.isNumber == false, "\(host)")
                    } else {
                        #expect((isForeign ? shoot : open).refusal(of: target)?.status == 403, "\(host):\(port)")
                    }
                }
            }
        }
        #expect(count > 5000)
    }

    @Test(
        "to any name that a node may have, and to none that somebody may read as an address",
        arguments: [
            ("5f7c9b", true), ("ip-10-2-0-7", true), ("worker-1.5f7c9b", true), ("1.example", true),
            ("example.1", true), ("10.2.0.7a", true), ("0xg", true), ("a0x1", true), ("0", false), ("127.1", false),
            ("0x7f.1", false), ("0X7F000001", false), ("017700000001", false), ("2130706433", false),
            ("1.0xa.03.0x", false), ("1.2.3.4.5", false), ("256.256.256.256", false), ("1.", false), ("-1", false),
        ]
    )
    func names(text: String, isName: Bool) {
        #expect(StreamTarget.isName(text) == isName)
        #expect((StreamTarget(authority: "\(text):10250") == StreamTarget.name(text, port: 10250)) == isName)
    }

    /// Ways in which somebody, somewhere, has written an IPv4 address.
    private static func writings(of address: IPAddress) -> [String] {
        plain(address) + inIPv6(address)
    }

    private static func hex(_ number: UInt32) -> String { String(number, radix: 16) }
    private static func octal(_ number: UInt32) -> String { "0" + String(number, radix: 8) }

    private static func plain(_ address: IPAddress) -> [String] {
        let bytes: [UInt32] = address.bytes.map { UInt32($0) }
        let value: UInt32 = bytes.reduce(0) { $0 << 8 | $1 }
        let dotted = address.description
        let parts = dotted.split(separator: ".").map(String.init)
        var all: [String] = [dotted, dotted + ".", "." + dotted, dotted + "..", "\(value)"]
        all.append("0x" + hex(value))
        all.append("0X" + hex(value).uppercased())
        all.append(octal(value))
        all.append(bytes.map { octal($0) }.joined(separator: "."))
        all.append(bytes.map { "0x" + hex($0) }.joined(separator: "."))
        all.append(parts.map { "00" + $0 }.joined(separator: "."))
        all.append("\(bytes[0]).\(value & 0xFF_FFFF)")
        all.append("\(bytes[0]).\(bytes[1]).\(value & 0xFFFF)")
        all.append("\(octal(bytes[0])).0x\(hex(value & 0xFF_FFFF))")
        all.append(parts.joined(separator: "\u{3002}"))
        all.append(parts.joined(separator: "%2e"))
        all += ["%31" + dotted.dropFirst(), "user@" + dotted, "10.2.0.1@" + dotted, "10.2.0.1#@" + dotted]
        all += ["10.2.0.1\\@" + dotted, " " + dotted, dotted + "%00", dotted + "\0", "\t" + dotted, dotted + "/32"]
        // Full-width digits.
        all.append(dotted.unicodeScalars.map { $0 == "." ? "." : "\(UnicodeScalar($0.value + 0xFEE0) ?? $0)" }.joined())
        return all
    }

    private static func inIPv6(_ address: IPAddress) -> [String] {
        let value: UInt32 = address.bytes.reduce(0) { $0 << 8 | UInt32($1) }
        let low = hex(value >> 16) + ":" + hex(value & 0xFFFF)
        var all: [String] = []
        for prefix in ["::ffff:", "::", "64:ff9b::", "::ffff:0:", "0:0:0:0:0:ffff:", "64:ff9b:1::"] {
            for suffix in [low, address.description, low.uppercased()] {
                for zone in ["", "%lo", "%25eth0", "%1"] {
                    let inner = prefix + suffix + zone
                    all += ["[" + inner + "]", inner, "[" + inner, "[[" + inner + "]]", "[ " + inner + " ]"]
                }
            }
        }
        return all
    }

    @Test("only into the shoot's networks, and to no service by name")
    func shoot() throws {
        let routes = StreamRoutes(shoot: [try #require(IPPrefix("10.2.0.0/16"))], paths: [])
        #expect(routes.refusal(of: try target("10.2.255.255:1")) == nil)
        #expect(routes.refusal(of: try target("10.3.0.0:1"))?.status == 403)
        #expect(routes.refusal(of: try target("[fd02::1]:1"))?.status == 403)
        #expect(routes.refusal(of: .apiServer)?.status == 403)
        #expect(routes.refusal(of: try target("worker-1:10250")) == nil)
        let named = StreamRoutes(shoot: routes.shoot, paths: [], names: ["worker-1"])
        #expect(named.refusal(of: try target("worker-1:10250")) == nil)
        #expect(named.refusal(of: try target("www.example.org:443"))?.status == 403)
        let all = try #require(IPPrefix("10.2.0.0/16"))
        let outside = StreamRoutes(
            shoot: routes.shoot,
            paths: [.init(link: 7, name: "worker-1", networks: [all], roundTrip: 1)],
            names: ["worker-1"],
            outside: [try target("www.example.org:443")]
        )
        #expect(outside.refusal(of: try target("WWW.example.org:443")) == nil)
        #expect(outside.candidates(for: try target("www.example.org:443"), turn: 0) == [7])
        for other in ["www.example.org:80", "example.org:443", "a.www.example.org:443", "8.8.8.8:443"] {
            #expect(outside.refusal(of: try target(other))?.status == 403, "\(other)")
        }
    }

    @Test("to another client where one forbids what is named besides the networks: it may be of an earlier release")
    func forbiddenOutside() throws {
        let all = try #require(IPPrefix("10.2.0.0/16"))
        let named = try target("www.example.org:443")
        let routes = StreamRoutes(
            shoot: [all],
            paths: [
                .init(link: 0, name: "near", networks: [all], roundTrip: 100),
                .init(link: 1, name: "far", networks: [all], roundTrip: 90_000),
            ],
            outside: [named]
        )
        #expect(routes.candidates(for: named, turn: 0) == [0, 1])
        #expect(routes.mayWorkElsewhere(StreamReset(.forbidden), for: named))
        #expect(routes.mayWorkElsewhere(StreamReset(.unreachable), for: named))
        #expect(!routes.mayWorkElsewhere(StreamReset(.refused), for: named))
        for other in ["www.example.org:80", "near:443", "10.2.0.1:443"] {
            #expect(!routes.mayWorkElsewhere(StreamReset(.forbidden), for: try target(other)), "\(other)")
        }
    }

    @Test("to the owner first, then to the nearest; equals take turns")
    func candidates() throws {
        let all = try #require(IPPrefix("10.0.0.0/8"))
        let own = try #require(IPPrefix("10.2.1.0/24"))
        let routes = StreamRoutes(
            shoot: [all],
            paths: [
                .init(link: 0, name: "a", networks: [all], roundTrip: 9000),
                .init(link: 1, name: "b", networks: [all, own], roundTrip: 50_000),
                .init(link: 2, name: "c", networks: [all], roundTrip: 1500),
                .init(link: 3, name: "d", networks: [all], roundTrip: 2500),
                .init(link: 4, name: "e", networks: [all], roundTrip: nil),
            ]
        )
        #expect(routes.candidates(for: try target("10.2.1.7:80"), turn: 0) == [1, 2, 3, 0, 4])
        // No border lies between two that are alike; what was not measured yet comes last.
        #expect(routes.candidates(for: try target("10.9.0.1:80"), turn: 0) == [2, 3, 0, 1, 4])
        #expect(routes.candidates(for: try target("10.9.0.1:80"), turn: 1) == [3, 2, 0, 1, 4])
        #expect(routes.candidates(for: try target("a:10250"), turn: 0).first == 0)
        #expect(routes.candidates(for: try target("11.0.0.1:80"), turn: 0) == [])
    }

    @Test("where Nodes are followed to their own client first, whatever another says of itself")
    func owners() throws {
        let all = try #require(IPPrefix("10.0.0.0/8"))
        let own = try #require(IPPrefix("10.2.1.0/24"))
        let claimed = try #require(IPPrefix("10.2.1.7/32"))
        let routes = StreamRoutes(
            shoot: [all],
            paths: [
                .init(link: 0, name: "liar", networks: [all, claimed], roundTrip: 100),
                .init(link: 1, name: "owner", networks: [all], owned: [own], roundTrip: 50_000),
                .init(link: 2, name: "elsewhere", networks: [own], owned: [own], roundTrip: 60_000),
            ],
            areOwnersKnown: true
        )
        #expect(routes.candidates(for: try target("10.2.1.7:80"), turn: 0) == [1, 2, 0])
        // Nobody's own: the nearest first.
        #expect(routes.candidates(for: try target("10.3.0.1:80"), turn: 0) == [0, 1])
        // What a client does not serve does not lead to it.
        #expect(routes.candidates(for: try target("11.0.0.1:80"), turn: 0) == [])
    }

    @Test("to whoever is about to end only behind all others, be it the owner or the nearest")
    func retiring() throws {
        let all = try #require(IPPrefix("10.0.0.0/8"))
        let own = try #require(IPPrefix("10.2.1.0/24"))
        func routes(following areOwnersKnown: Bool) -> StreamRoutes {
            StreamRoutes(
                shoot: [all],
                paths: [
                    .init(link: 0, name: "owner", networks: [own], owned: [own], roundTrip: 100, isRetiring: true),
                    .init(link: 1, name: "other", networks: [all], roundTrip: 50_000),
                    .init(link: 2, name: "gone", networks: [all], roundTrip: 100, isRetiring: true),
                ],
                areOwnersKnown: areOwnersKnown
            )
        }
        for areOwnersKnown in [false, true] {
            let known = routes(following: areOwnersKnown)
            for turn in 0...2 {
                #expect(known.candidates(for: try target("10.2.1.7:80"), turn: turn) == [1, 0, 2])
                #expect(known.candidates(for: try target("10.9.0.1:80"), turn: turn) == [1, 2])
            }
            #expect(known.candidates(for: try target("owner:10250"), turn: 0).first == 1)
        }
        // Where nobody else leads there it serves.
        let alone = StreamRoutes(
            shoot: [all],
            paths: [
                .init(link: 0, name: "owner", networks: [own], roundTrip: 100, isRetiring: true),
                .init(link: 1, name: "other", networks: [try #require(IPPrefix("10.3.0.0/16"))], roundTrip: 100),
            ]
        )
        #expect(alone.candidates(for: try target("10.2.1.7:80"), turn: 0) == [0])
    }

    @Test("A link that went a moment ago is worth waiting for where it leads there and has not been tried")
    func awaited() throws {
        let own = try #require(IPPrefix("10.2.1.0/24"))
        let routes = StreamRoutes(
            shoot: [try #require(IPPrefix("10.0.0.0/8"))],
            paths: [],
            missing: [.init(link: 3, name: "a", networks: [own], roundTrip: nil)]
        )
        #expect(routes.isAwaited(for: try target("10.2.1.7:80"), besides: [0, 1]))
        #expect(routes.isAwaited(for: try target("a:10250"), besides: []))
        #expect(!routes.isAwaited(for: try target("10.2.1.7:80"), besides: [3]))
        #expect(!routes.isAwaited(for: try target("10.2.2.7:80"), besides: []))
        #expect(routes.candidates(for: try target("10.2.1.7:80"), turn: 0) == [])
    }

    private func target(_ text: String) throws -> StreamTarget { try #require(StreamTarget(authority: text)) }
}
