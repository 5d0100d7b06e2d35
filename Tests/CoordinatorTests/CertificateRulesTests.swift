import ClusterModel
import Coordinator
import ShootSamples
import TLSEngine
import TendrilCore
import Testing

@Suite("Certificates that stand in a Shoot")
struct CertificateRulesTests {
    private static let path = "spec.controlPlane.oidc.certificateAuthority"

    private func spec(_ authority: String?) throws -> Shoot.Spec {
        var oidc = Shoot.OIDC(issuerURL: "https://login.example.org", clientID: "shoot")
        oidc.certificateAuthority = authority
        return try Samples.shoot { [oidc] in $0.spec.controlPlane.oidc = oidc }.spec
    }

    @Test("have to be such as can be read; what was accepted is not asked for again")
    func readable() throws {
        let good = String(decoding: try CertificateIssuer(name: "issuer", days: 1).authorityPEM(), as: UTF8.self)
        // In the form of one, and none.
        let bad = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"
        for text in [nil, good, good + good] {
            #expect(CertificateRules.problems(try spec(text), since: nil) == [])
        }
        for text in [bad, good + bad] {
            #expect(CertificateRules.problems(try spec(text), since: nil).map(\.path) == [Self.path])
            #expect(CertificateRules.problems(try spec(text), since: try spec(good)).map(\.path) == [Self.path])
            #expect(CertificateRules.problems(try spec(text), since: try spec(text)) == [])
        }
        #expect(CertificateRules.problems(try Samples.shoot().spec, since: nil) == [])
    }
}
