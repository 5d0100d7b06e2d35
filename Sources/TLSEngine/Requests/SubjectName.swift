internal import COpenSSL
package import TendrilCore

/// Who a certificate or a request names.
package struct SubjectName: Hashable, Sendable {
    /// The parts of the distinguished name in their order: `CN`, `O` or another short name, with its text.
    package struct Part: Hashable, Sendable {
        package let kind: String
        package let text: String

        package init(_ kind: String, _ text: String) { (self.kind, self.text) = (kind, text) }
    }

    package let parts: [Part]

    package init(_ parts: [Part]) { self.parts = parts }

    /// A common name with organisations, as Kubernetes reads user and groups.
    package init(user: String, groups: [String] = []) {
        parts = groups.map { Part("O", $0) } + [Part("CN", user)]
    }

    /// The user that Kubernetes takes it for, if the name consists of one common name and organisations only.
    package var user: String? {
        let names = parts.filter { $0.kind == "CN" }
        guard names.count == 1, parts.allSatisfy({ $0.kind == "CN" || $0.kind == "O" }) else { return nil }
        return names.first?.text
    }

    /// The groups that Kubernetes takes it for.
    package var groups: [String] { parts.filter { $0.kind == "O" }.map(\.text) }

    init(_ name: OpaquePointer?) {
        parts = (0..<X509_NAME_entry_count(name)).map { index in
            let entry = X509_NAME_get_entry(name, index)
            let kind = OBJ_nid2sn(OBJ_obj2nid(X509_NAME_ENTRY_get_object(entry))).map { String(cString: $0) } ?? "?"
            var bytes: UnsafeMutablePointer<UInt8>?
            let count = ASN1_STRING_to_UTF8(&bytes, X509_NAME_ENTRY_get_data(entry))
            guard count >= 0, let bytes else { return Part("?", "") }
            defer { CRYPTO_free(bytes, nil, 0) }
            return Part(kind, String(decoding: UnsafeBufferPointer(start: bytes, count: Int(count)), as: UTF8.self))
        }
    }

    /// Adds the parts to a name that OpenSSL builds.
    func add(to name: OpaquePointer?) throws(TLSError) {
        for part in parts {
            let text = Array(part.text.utf8)
            guard
                X509_NAME_add_entry_by_txt(name, part.kind, MBSTRING_UTF8, text, CInt(clamping: text.count), -1, 0) == 1
            else { throw .drainingQueue(while: "name \(part.text)") }
        }
    }
}

/// The alternative names of a certificate or a request (RFC 5280 section 4.2.1.6).
package struct AlternativeNames: Hashable, Sendable {
    package var hosts: [String] = []
    package var addresses: [IPAddress] = []
    package var uris: [String] = []
    /// How many names are of another kind or malformed.
    package var others = 0

    package init(hosts: [String] = [], addresses: [IPAddress] = [], uris: [String] = []) {
        (self.hosts, self.addresses, self.uris) = (hosts, addresses, uris)
    }

    package var isEmpty: Bool { hosts.isEmpty && addresses.isEmpty && uris.isEmpty && others == 0 }

    init(_ names: OpaquePointer?) {
        for index in 0..<(names.map { tendril_general_name_count($0) } ?? 0) {
            guard let name = names.flatMap({ tendril_general_name_at($0, index) }) else { continue }
            var kind: CInt = 0
            var pointer: UnsafePointer<UInt8>?
            let count = tendril_general_name(name, &kind, &pointer)
            guard count >= 0, let pointer else {
                others += 1
                continue
            }
            let bytes = Array(UnsafeBufferPointer(start: pointer, count: Int(count)))
            let text = String(decoding: bytes, as: UTF8.self)
            switch kind {
            case GEN_DNS: hosts.append(text)
            case GEN_URI: uris.append(text)
            case GEN_IPADD: if let address = IPAddress(bytes: bytes) { addresses.append(address) } else { others += 1 }
            default: others += 1
            }
        }
    }

    /// The names in the form that OpenSSL's configuration takes.
    ///
    /// Every text has to be checked before: it is one that this side chose, with neither commas nor line breaks.
    var configuration: String {
        (hosts.map { "DNS:\($0)" } + addresses.map { "IP:\($0)" } + uris.map { "URI:\($0)" }).joined(separator: ",")
    }

    /// Whether every text can stand in OpenSSL's configuration as itself.
    var isPlain: Bool {
        (hosts + uris).allSatisfy { name in
            !name.isEmpty && name.utf8.allSatisfy { $0.isVisible && ![0x2C, 0x22, 0x5C].contains($0) }
        }
    }
}
