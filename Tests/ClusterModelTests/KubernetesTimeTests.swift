import ClusterModel
import Testing

@Suite("Times of the Kubernetes API")
struct KubernetesTimeTests {
    @Test(
        "are written and read alike",
        arguments: [0, 951_782_399, 951_782_400, 1_582_934_400, 4_102_444_799] as [UInt64]
    )
    func roundTrip(seconds: UInt64) {
        #expect(KubernetesTime.seconds(KubernetesTime.text(seconds: seconds)) == seconds)
        #expect(KubernetesTime.seconds(KubernetesTime.microText(seconds: seconds)) == seconds)
    }

    @Test("are the dates that everybody knows")
    func knownDates() {
        #expect(KubernetesTime.text(seconds: 951_782_400) == "2000-02-29T00:00:00Z")
        #expect(KubernetesTime.seconds("2026-11-22T10:00:00+01:00") == KubernetesTime.seconds("2026-11-22T09:00:00Z"))
        #expect(KubernetesTime.seconds("2026-11-22T10:00:00.123456Z") == KubernetesTime.seconds("2026-11-22T10:00:00Z"))
    }

    @Test(
        "are refused in any other form",
        arguments: [
            "", "2026-11-22", "2026-13-01T00:00:00Z", "2026-11-22T25:00:00Z", "2026-11-22T10:00:00",
            "1969-12-31T23:59:59Z",
        ]
    )
    func malformed(text: String) { #expect(KubernetesTime.seconds(text) == nil) }
}

@Suite("Bootstrap tokens")
struct BootstrapTokenTests {
    @Test("have six and sixteen characters")
    func form() {
        #expect(BootstrapToken("abcdef.0123456789abcdef")?.id == "abcdef")
        for text in [
            "", "abcdef", "abcdef.", "ABCDEF.0123456789abcdef", "abcdef.0123456789abcde", "abcdef.0123456789abcdef.x",
            "abcde\u{0456}.0123456789abcdef",
        ] {
            #expect(BootstrapToken(text) == nil, "\(text)")
        }
    }

    @Test("are read from Secrets of our pools only")
    func grants() {
        func secret(_ change: (inout KubernetesSecret) -> Void = { _ in }) -> KubernetesSecret {
            var metadata = ObjectMetadata(name: "bootstrap-token-abcdef", namespace: "kube-system")
            metadata.labels = ["tendril.dev/pool": "worker"]
            let fields = ["token-id": "abcdef", "usage-bootstrap-authentication": "true"]
            var secret = KubernetesSecret(
                metadata,
                type: "bootstrap.kubernetes.io/token",
                data: fields.mapValues { Array($0.utf8) }
            )
            change(&secret)
            return secret
        }
        #expect(TokenGrant(secret())?.pool == "worker")
        #expect(TokenGrant(secret { $0.type = "Opaque" }) == nil)
        #expect(TokenGrant(secret { $0.metadata.labels = nil }) == nil)
        #expect(TokenGrant(secret { $0.metadata.name = "bootstrap-token-fedcba" }) == nil)
        #expect(TokenGrant(secret { $0.data?["usage-bootstrap-authentication"] = nil }) == nil)
        // An expiry that nobody can read has passed.
        #expect(TokenGrant(secret { $0.data?["expiration"] = .init("soon".utf8) })?.expiry == 0)
    }
}
