import TendrilCore

/// Which paths of a node may be managed.
package enum NodePath {
    /// Below these, files may be written.
    package static let roots = ["/etc/", "/opt/", "/usr/local/", "/var/lib/", "/srv/"]
    /// Below these, nothing may be written although a root holds them: our own files, and who may log in.
    package static let forbidden = [
        "/etc/tendril", "/var/lib/tendril", "/etc/passwd", "/etc/shadow", "/etc/group", "/etc/gshadow", "/etc/sudoers",
        "/etc/sudoers.d", "/etc/pam.d", "/etc/machine-id", "/var/lib/kubelet/pods", "/var/lib/containerd",
    ]
    /// The longest path in bytes.
    package static let maximumBytes = 512
    package static let maximumDepth = 16
    /// The longest name of a file or directory in bytes; a temporary name beside it is 14 bytes longer.
    package static let maximumNameBytes = 240

    /// What is wrong with a path; `nil` where it may be managed.
    package static func problem(_ path: String) -> String? {
        guard isPlain(path) else { return "is no absolute path without links, dots and control characters" }
        guard roots.contains(where: { path.hasPrefix($0) && path.utf8.count > $0.utf8.count }) else {
            return "lies below none of \(roots.joined(separator: ", "))"
        }
        guard !forbidden.contains(where: { path == $0 || path.hasPrefix($0 + "/") }) else {
            return "is not to be managed"
        }
        return nil
    }

    /// Whether a path is absolute and in its shortest form, of printable characters.
    package static func isPlain(_ path: String) -> Bool {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count >= 2, parts.count <= maximumDepth + 1, path.utf8.count <= maximumBytes, parts[0].isEmpty
        else {
            return false
        }
        return parts.dropFirst().allSatisfy { part in
            !part.isEmpty && part != "." && part != ".." && part.utf8.count <= maximumNameBytes
                && part.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7F }
        }
    }
}

/// What machines have from their start for good, in a word.
package enum ClassName {
    /// Whether a text is 1 to 253 printable characters of ASCII without spaces.
    package static func isValid(_ text: String) -> Bool {
        (1...253).contains(text.utf8.count) && text.utf8.allSatisfy(\.isVisible)
    }
}

/// Digests in configurations.
package enum DigestText {
    /// Whether a text is a SHA-256 digest in 64 lower-case hexadecimal digits.
    package static func isSHA256(_ text: some StringProtocol) -> Bool {
        text.utf8.count == 64 && text.utf8.allSatisfy(\.isLowercaseHex)
    }
}

/// References to OCI images (OCI distribution specification, "Pulling manifests").
package enum ImageName {
    /// Whether a text names an image by its digest, such as `registry.example/kubelet@sha256:…`, and nothing else.
    package static func isPinned(_ text: String) -> Bool {
        guard let at = text.firstIndex(of: "@"), text.utf8.count <= 512 else { return false }
        let (name, digest) = (text[..<at], text[text.index(after: at)...])
        guard let first = name.utf8.first, first.isLowercase || first.isDigit,
            name.utf8.allSatisfy({ $0.isLowercase || $0.isDigit || [0x2E, 0x2D, 0x5F, 0x2F, 0x3A].contains($0) })
        else { return false }
        return digest.hasPrefix("sha256:") && DigestText.isSHA256(digest.dropFirst("sha256:".count))
    }

    /// Whether a text says where images are, such as `registry.example:5000/ours`: without a scheme, and no slash at an end.
    package static func isPlace(_ text: String) -> Bool {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard (1...255).contains(text.utf8.count), parts.dropFirst().allSatisfy({ !$0.contains(":") }) else {
            return false
        }
        return parts.allSatisfy { part in
            !part.isEmpty
                && part.utf8.allSatisfy { $0.isLetter || $0.isDigit || [0x2E, 0x2D, 0x5F, 0x3A].contains($0) }
        }
    }
}

/// Permission bits.
package struct FileMode: Hashable, Sendable {
    /// 0 to 0777: no set-user-ID and nothing else beyond permissions.
    package let bits: UInt32

    /// Takes octal digits such as `0644`.
    package init?(_ text: String) {
        guard (3...4).contains(text.utf8.count), let bits = UInt32(text, radix: 8), bits <= 0o777 else { return nil }
        self.bits = bits
    }
}

/// Names of systemd units (systemd.unit(5)).
package enum UnitName {
    /// Where the administrator's units live.
    package static let directory = "/etc/systemd/system"

    private static let types = ["service", "socket", "timer", "mount", "path", "slice", "target"]

    /// Whether a unit of this name may be managed: a plain name, and none of systemd's own or ours.
    package static func isValid(_ name: String) -> Bool {
        guard let dot = name.lastIndex(of: "."), types.contains(String(name[name.index(after: dot)...])),
            name.utf8.count <= 200, isPlain(String(name[..<dot]))
        else { return false }
        return !["systemd-", "dbus", "init.", "tendril-agent", "-"].contains { name.hasPrefix($0) }
    }

    /// Whether a drop-in may have this name.
    package static func isDropIn(_ name: String) -> Bool {
        name.hasSuffix(".conf") && name.utf8.count <= 200 && isPlain(String(name.dropLast(5)))
    }

    /// Where a unit's file is.
    package static func path(_ name: String) -> String { "\(directory)/\(name)" }

    /// Where a drop-in's file is.
    package static func path(_ name: String, dropIn: String) -> String { "\(directory)/\(name).d/\(dropIn)" }

    private static func isPlain(_ text: String) -> Bool {
        guard let first = text.utf8.first, first != 0x2E else { return false }
        return text.utf8.allSatisfy { $0.isLetter || $0.isDigit || [0x3A, 0x2D, 0x5F, 0x2E, 0x40].contains($0) }
    }
}

/// What labels look like (Kubernetes documentation, "Labels and Selectors").
package enum LabelRules {
    package static func isKey(_ text: String) -> Bool {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard let name = parts.last, parts.count <= 2, !name.isEmpty, isValue(String(name)) else { return false }
        guard parts.count == 2 else { return true }
        return (1...253).contains(parts[0].utf8.count)
            && parts[0].utf8.allSatisfy { $0.isLowercase || $0.isDigit || $0 == 0x2D || $0 == 0x2E }
    }

    package static func isValue(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        guard let first = bytes.first, let last = bytes.last else { return true }
        func isAlphanumeric(_ byte: UInt8) -> Bool { byte.isLetter || byte.isDigit }
        return bytes.count <= 63 && isAlphanumeric(first) && isAlphanumeric(last)
            && bytes.allSatisfy { isAlphanumeric($0) || [0x2D, 0x5F, 0x2E].contains($0) }
    }
}
