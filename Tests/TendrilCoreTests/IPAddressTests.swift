import TendrilCore
import TestSupport
import Testing

@Suite("IP addresses")
struct IPAddressTests {
    @Test(
        "print what they were parsed from, in canonical form",
        arguments: [
            ("10.0.0.1", "10.0.0.1"), ("255.255.255.255", "255.255.255.255"), ("0.0.0.0", "0.0.0.0"), ("::", "::"),
            ("::1", "::1"), ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"), ("1:0:0:2:0:0:0:3", "1:0:0:2::3"),
            ("fd00:0:1:1:1:1:1:1", "fd00:0:1:1:1:1:1:1"), ("::ffff:192.0.2.1", "::ffff:c000:201"), ("1::", "1::"),
        ]
    )
    func printsCanonically(text: String, canonical: String) {
        #expect(IPAddress(text)?.description == canonical)
    }

    @Test(
        "refuse what is no address",
        arguments: [
            "", ".", "1.2.3", "1.2.3.4.5", "256.1.1.1", "01.2.3.4", "1.2.3.-4", "+1.2.3.4", " 1.2.3.4", "1.2.3.4 ",
            ":", ":::", "1::2::3", "12345::", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "fe80::1%eth0", "::1.2.3", "g::",
            "1:2:3:4:5:6:7::8", "+1::", "0x1::",
        ]
    )
    func refusesOthers(text: String) {
        #expect(IPAddress(text) == nil)
    }

    @Test("survive their own text and bytes")
    func survivesRoundTrip() {
        var random = SeededGenerator(seed: 1)
        for _ in 0..<20_000 {
            let bits = UInt128(random.next()) << 64 | UInt128(random.next() & (random.next() % 3 == 0 ? 0xFFFF : .max))
            let address = IPAddress(family: random.next() % 2 == 0 ? .v4 : .v6, bits: bits)
            #expect(IPAddress(address.description) == address)
            #expect(IPAddress(bytes: address.bytes) == address)
        }
    }

    @Test(
        "know what no packet between networks carries",
        arguments: [
            "0.0.0.0", "0.1.2.3", "127.0.0.1", "169.254.169.254", "224.0.0.1", "255.255.255.255", "240.0.0.1", "::",
            "::1", "::ffff:10.0.0.1", "::10.0.0.1", "fe80::1", "febf::1", "ff02::1",
        ]
    )
    func knowsMartians(text: String) {
        #expect(IPAddress(text)?.isRoutableUnicast == false)
    }

    @Test(
        "know what can be routed",
        arguments: ["10.0.0.1", "8.8.8.8", "223.255.255.255", "fd00::1", "2001:db8::1", "fec0::1"]
    )
    func knowsRoutable(text: String) {
        #expect(IPAddress(text)?.isRoutableUnicast == true)
    }
}

@Suite("IP prefixes")
struct IPPrefixTests {
    @Test(
        "refuse host bits and wrong lengths",
        arguments: ["10.0.0.1/24", "10.0.0.0/33", "fd00::1/64", "10.0.0.0", "10.0.0.0/", "10.0.0.0/08", "::/129"]
    )
    func refusesHostBits(text: String) {
        #expect(IPPrefix(text) == nil)
    }

    @Test("hold exactly their addresses")
    func holdsItsAddresses() {
        let prefix = IPPrefix("10.1.0.0/16")
        #expect(prefix?.contains(TestPacket.address("10.1.255.255")) == true)
        #expect(prefix?.contains(TestPacket.address("10.2.0.0")) == false)
        #expect(prefix?.contains(TestPacket.address("fd00::1")) == false)
        #expect(IPPrefix("0.0.0.0/0")?.contains(TestPacket.address("1.2.3.4")) == true)
    }
}

@Suite("Endpoints and identities")
struct EndpointTests {
    @Test("parse hosts, addresses and ports", arguments: ["a.example:1", "10.0.0.1:65535", "[fd00::1]:8132", ":8132"])
    func parses(text: String) {
        #expect(Endpoint(text)?.description == text)
    }

    @Test(
        "refuse others",
        arguments: ["a", "fd00::1:80", "[10.0.0.1]:1", "a:65536", "a:-1", "a:", "-a:1", "a_b:1", "a b:1"]
    )
    func refuses(text: String) {
        #expect(Endpoint(text) == nil)
    }

    @Test("an identity survives its URI")
    func identitySurvives() {
        let identity = TunnelIdentity(cluster: "shoot--a--b", role: .client, name: "node-1.example")
        #expect(identity.map { TunnelIdentity(uri: $0.description) } == identity)
    }

    @Test(
        "an identity of another form is refused",
        arguments: [
            "spiffe://c/vpn/server", "spiffe://c/vpn/admin/x", "spiffe://c/vpn/server/x/y", "https://c/vpn/server/x",
            "spiffe:///vpn/server/x", "spiffe://c/vpn/server/", "spiffe://c\u{0}d/vpn/server/x", "spiffe://c/agent/x",
        ]
    )
    func refusesOtherURIs(uri: String) {
        #expect(TunnelIdentity(uri: uri) == nil)
    }
}

@Suite("Secrets")
struct SecretTests {
    @Test("do not show what they hold")
    func redacts() {
        let secret = Secret(Array("hunter2hunter2".utf8))
        #expect(!"\(secret)".contains("hunter"))
        var text = ""
        dump(secret, to: &text)
        #expect(!text.contains("hunter") && !text.contains("104"))
    }
}
