package import ClusterModel
package import TendrilCore

/// Judges where a Seed wants snapshots to go.
package enum SnapshotRules {
    /// Everything that is wrong with a Seed's `spec.snapshots`, each with its field.
    package static func problems(_ settings: Seed.Snapshots) -> [ConfigurationProblem] {
        var problems: [ConfigurationProblem] = []
        func check(_ holds: Bool, _ field: String, _ reason: String) {
            problems.require(holds, "spec.snapshots.\(field)", reason)
        }
        let intervals = SnapshotPlan.intervals
        check(
            intervals.contains(settings.intervalMinutes),
            "intervalMinutes",
            "is none of \(intervals.map { "\($0)" }.joined(separator: ", "))"
        )
        check((1...1000).contains(settings.keep), "keep", "is not 1 to 1000")
        check(port(settings.endpoint) != nil, "endpoint", "is not https://HOST or https://HOST:PORT")
        check(isLabels(settings.region, 1...63), "region", "is not 1 to 63 letters, digits and hyphens")
        // Amazon S3, "Bucket naming rules".
        check(
            isLabels(settings.bucket, 3...63, dots: true),
            "bucket",
            "is not 3 to 63 lower-case letters, digits, dots and hyphens"
        )
        check(
            settings.prefix.map(isPath) ?? true,
            "prefix",
            "is no path of letters, digits and the characters -._, or begins with a hyphen"
        )
        check(
            isLabels(settings.secretName, 1...253, dots: true),
            "secretName",
            "is no name of a Secret"
        )
        return problems
    }

    /// The port of an endpoint; `nil` where it is none.
    package static func port(_ endpoint: String) -> UInt16? {
        let scheme = "https://"
        guard endpoint.hasPrefix(scheme), endpoint.utf8.count <= 300 else { return nil }
        let rest = String(endpoint.dropFirst(scheme.count))
        if let named = Endpoint(rest) { return named.host.isEmpty || named.port == 0 ? nil : named.port }
        return Endpoint.isHostName(rest) || IPAddress(rest)?.family == .v4 ? 443 : nil
    }

    /// How large a snapshot may be that is sent in one request, in bytes; `nil` for other stores than Amazon's, which have limits of
    /// their own (Amazon S3 User Guide, "Uploading objects").
    package static func uploadLimit(_ endpoint: String) -> Int? {
        let host = endpoint.dropFirst("https://".count).prefix { $0 != ":" }.lowercased()
        guard [".amazonaws.com", ".amazonaws.com.cn"].contains(where: { host.hasSuffix($0) }) else { return nil }
        return 5 << 30
    }

    /// Whether a text is of lower-case letters, digits, hyphens and, where they may be, single dots between them.
    private static func isLabels(_ text: String, _ count: ClosedRange<Int>, dots: Bool = false) -> Bool {
        guard count.contains(text.utf8.count) else { return false }
        let labels = text.split(separator: ".", omittingEmptySubsequences: false)
        return (dots || labels.count == 1)
            && labels.allSatisfy { label in
                !label.isEmpty && label.utf8.first != 0x2D && label.utf8.last != 0x2D
                    && label.utf8.allSatisfy { $0.isLowercase || $0.isDigit || $0 == 0x2D }
            }
    }

    /// Whether a text is a path in its shortest form, of characters that stand for themselves in a URL, and no flag of a command.
    private static func isPath(_ text: String) -> Bool {
        (1...200).contains(text.utf8.count) && text.utf8.first != 0x2D
            && text.split(separator: "/", omittingEmptySubsequences: false).allSatisfy { part in
                !part.isEmpty && part != "." && part != ".." && part.utf8.allSatisfy(SnapshotPlan.isPlain)
            }
    }
}
