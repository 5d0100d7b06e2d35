package import ClusterModel
internal import StrictYAML
internal import TLSEngine
internal import TendrilCore

/// Trust by a pin: the public ConfigMap kube-public/cluster-info, signed with the bootstrap token, brings the CA, and
/// the pin proves it (Kubernetes documentation, "kubeadm join", discovery by token).
package enum ClusterInfo {
    package static let namespace = "kube-public"
    package static let name = "cluster-info"

    /// The CA bundle of a ConfigMap whose signature and pin are good.
    package static func authority(
        _ map: ConfigMap,
        token: BootstrapToken,
        pins: [String]
    ) throws(AgentFailure) -> [UInt8] {
        guard let text = map.data?["kubeconfig"] else {
            throw AgentFailure(.untrusted, "cluster-info has no kubeconfig")
        }
        guard let signature = map.data?["jws-kubeconfig-\(token.id)"] else {
            throw AgentFailure(
                .tokenRejected,
                "cluster-info is not signed with the token \(token.id): unknown or expired"
            )
        }
        guard isSigned(text, signature, token) else {
            throw AgentFailure(.untrusted, "the signature of cluster-info is not of the token \(token.id)")
        }
        guard let document = try? YAMLParser.parse(Array(text.utf8)).json,
            case .array(let clusters)? = document["clusters"],
            let encoded = clusters.first?["cluster"]?["certificate-authority-data"]?.text,
            let bundle = [UInt8](base64: encoded),
            let facts = try? CertificateFacts.bundle(bundle, "CA of cluster-info")
        else { throw AgentFailure(.untrusted, "cluster-info holds no CA") }
        guard isPinned(facts, by: pins) else {
            throw AgentFailure(.wrongPin, "the CA of cluster-info is not the one that certificateAuthorityPins names")
        }
        return bundle
    }

    /// Whether every certificate that will be believed is pinned, not just one beside it; none is not enough.
    static func isPinned(_ facts: [CertificateFacts], by pins: [String]) -> Bool {
        !facts.isEmpty && facts.allSatisfy({ pins.contains("sha256:" + Hex.text($0.keyDigest)) })
    }

    /// Checks a detached JWS (RFC 7515 appendix F) with HS256.
    private static func isSigned(_ text: String, _ signature: String, _ token: BootstrapToken) -> Bool {
        let parts = signature.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 3, parts[1].isEmpty, let header = decode(parts[0]), let code = decode(parts[2]),
            let fields = try? YAMLParser.parse(header).json, fields["alg"]?.text == "HS256",
            fields["kid"]?.text == token.id
        else { return false }
        let payload = Array(text.utf8).base64.urlSafe
        let expected = Digest.hmac(Array("\(parts[0]).\(payload)".utf8), key: token.signingSecret)
        return Digest.areEqual(expected, code)
    }

    private static func decode(_ text: String) -> [UInt8]? {
        let standard = String(text.map { $0 == "-" ? "+" : $0 == "_" ? "/" : $0 })
        let padding = String(repeating: "=", count: (4 - standard.utf8.count % 4) % 4)
        return [UInt8](base64: standard + padding)
    }
}

extension String {
    /// Base64 text in the alphabet for URLs, without padding (RFC 4648 section 5).
    fileprivate var urlSafe: String {
        String(filter { $0 != "=" }.map { $0 == "+" ? "-" : $0 == "/" ? "_" : $0 })
    }
}
