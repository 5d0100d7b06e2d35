import ClusterModel
import FoundationEssentials
import NodeAgent
import TLSEngine
import TendrilCore
import Testing

@Suite("Trust by a pin")
struct ClusterInfoTests {
    /// A cluster-info as kube-controller-manager would sign it, with parts that can be spoilt.
    struct Document {
        var authority: [UInt8]
        var kid = "abcdef"
        var algorithm = "HS256"
        var secret = "0123456789abcdef"
        var payload: String?

        func map() throws -> ConfigMap {
            let text = """
                apiVersion: v1
                clusters:
                - cluster:
                    certificate-authority-data: \(Data(authority).base64EncodedString())
                    server: https://10.0.0.1:6443
                  name: ""
                kind: Config
                """
            let header = Self.url(Array("{\"alg\":\"\(algorithm)\",\"kid\":\"\(kid)\"}".utf8))
            let signed = "\(header).\(Self.url(Array((payload ?? text).utf8)))"
            let code = Digest.hmac(Array(signed.utf8), key: Secret(Array(secret.utf8)))
            let data = ["kubeconfig": text, "jws-kubeconfig-abcdef": "\(header)..\(Self.url(code))"]
            return ConfigMap(ObjectMetadata(name: "cluster-info", namespace: "kube-public"), data: data)
        }

        static func url(_ bytes: [UInt8]) -> String {
            String(
                Data(bytes).base64EncodedString().filter { $0 != "=" }.map { $0 == "+" ? "-" : $0 == "/" ? "_" : $0 }
            )
        }
    }

    private let authority: [UInt8]
    private let pin: String
    private let token: BootstrapToken

    init() throws {
        authority = try CertificateIssuer(name: "ca", days: 1).authorityPEM()
        pin = "sha256:" + Hex.text(try CertificateFacts(pem: authority, "CA").keyDigest)
        token = try #require(BootstrapToken("abcdef.0123456789abcdef"))
    }

    @Test("brings the CA that the pin names")
    func good() throws {
        let map = try Document(authority: authority).map()
        #expect(try ClusterInfo.authority(map, token: token, pins: ["sha256:00", pin]) == authority)
    }

    @Test("refuses another pin")
    func wrongPin() throws {
        let map = try Document(authority: authority).map()
        #expect(cause(map, pins: ["sha256:" + String(repeating: "0", count: 64)]) == .wrongPin)
    }

    @Test("refuses a second CA that is smuggled in beside the pinned one")
    func smuggled() throws {
        let other = try CertificateIssuer(name: "evil", days: 1).authorityPEM()
        let map = try Document(authority: authority + other).map()
        #expect(cause(map, pins: [pin]) == .wrongPin)
    }

    @Test("refuses a signature of another token, another key, another text or another algorithm")
    func forged() throws {
        var documents = [Document](repeating: Document(authority: authority), count: 4)
        documents[0].kid = "fedcba"
        documents[1].secret = "0000000000000000"
        documents[2].payload = "something else"
        documents[3].algorithm = "none"
        for document in documents { #expect(cause(try document.map(), pins: [pin]) == .untrusted) }
    }

    @Test("says that the token is not known where nothing is signed with it")
    func unsigned() throws {
        var map = try Document(authority: authority).map()
        map.data?["jws-kubeconfig-abcdef"] = nil
        #expect(cause(map, pins: [pin]) == .tokenRejected)
    }

    private func cause(_ map: ConfigMap, pins: [String]) -> AgentFailure.Cause? {
        do {
            _ = try ClusterInfo.authority(map, token: token, pins: pins)
            return nil
        } catch {
            return error.cause
        }
    }
}
