import ClusterModel
import FoundationEssentials
import NodeAgent
import TLSEngine
import Testing

@Suite("Signed configurations")
struct ConfigurationReaderTests {
    private let key: SigningKey
    private let other: SigningKey
    private let reader: ConfigurationReader

    init() throws {
        key = try SigningKey()
        other = try SigningKey()
        reader = ConfigurationReader(keys: [try key.verifyingKey()], pool: "worker")
    }

    private static let document =
        #"{"apiVersion":"node.tendril.dev/v1alpha1","kind":"NodeConfiguration","metadata":{"generation":3,"pool":"worker"},"spec":{}}"#

    @Test("are taken when one of their signatures is of a key that is believed")
    func good() throws {
        let secret = try secret(Self.document, signers: [other, key])
        #expect(try reader.prove(secret).generation == 3)
    }

    @Test("are refused unsigned, signed by others, changed, cut, for another pool, too large or malformed")
    func bad() throws {
        #expect(cause(try secret(Self.document, signers: [])) == .forged)
        #expect(cause(try secret(Self.document, signers: [other])) == .forged)
        var changed = try secret(Self.document, signers: [key])
        changed.data?["node.json"] = Data(Self.document.utf8.map { $0 == UInt8(ascii: "3") ? UInt8(ascii: "4") : $0 })
        #expect(cause(changed) == .forged)
        var cut = try secret(Self.document, signers: [key])
        cut.data?["node.json"] = Data(Self.document.utf8.dropLast(2))
        #expect(cause(cut) == .forged)
        var garbled = try secret(Self.document, signers: [key])
        garbled.data?["signature"] = Data("!!!".utf8)
        #expect(cause(garbled) == .forged)
        var empty = try secret(Self.document, signers: [key])
        empty.data?["node.json"] = nil
        #expect(cause(empty) == .noDesiredState)
        let foreign = Self.document.split(separator: "worker").joined(separator: "other")
        #expect(cause(try secret(foreign, signers: [key])) == .foreignPool)
        let large = Self.document + String(repeating: " ", count: 3 << 20)
        #expect(cause(try secret(large, signers: [key])) == .badDesiredState)
        for text in [
            "", "[]", "{}", Self.document + "{}", "{\"a\":{\"a\":",
            Self.document.split(separator: "\"spec\":{}").joined() + "\"spec\":{\"x\":1}}",
        ] {
            #expect(cause(try secret(text, signers: [key])) == .badDesiredState, "\(text)")
        }
        let bomb = String(repeating: "[", count: 100_000)
        #expect(cause(try secret(bomb, signers: [key])) == .badDesiredState)
    }

    @Test("are refused with a taint twice")
    func repeatedTaint() throws {
        let taint = #"{"effect":"NoSchedule","key":"a"}"#
        func document(_ taints: String) -> String {
            let spec = #"{"kubelet":{"taints":[\#(taints)],"version":"1.20.2"}}"#
            return Self.document.split(separator: "{}").joined(separator: spec)
        }
        #expect(cause(try secret(document(taint), signers: [key])) == nil)
        #expect(cause(try secret(document("\(taint),\(taint)"), signers: [key])) == .badDesiredState)
    }

    private func secret(_ document: String, signers: [SigningKey]) throws -> KubernetesSecret {
        let bytes = Array(document.utf8)
        let signatures = try signers.map { Data(try $0.sign(bytes)).base64EncodedString() }.joined(separator: "\n")
        let metadata = ObjectMetadata(name: "tendril-node-worker-0", namespace: "kube-system")
        return KubernetesSecret(metadata, data: ["node.json": bytes, "signature": Array(signatures.utf8)])
    }

    private func cause(_ secret: KubernetesSecret) -> AgentFailure.Cause? {
        do {
            _ = try reader.prove(secret)
            return nil
        } catch {
            return error.cause
        }
    }
}
