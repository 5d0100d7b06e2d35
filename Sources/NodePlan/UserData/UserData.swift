import ClusterModel
package import TendrilCore

/// agent.tendril.dev/v1alpha1 UserData: what goes into a machine's user data.
package struct UserDataConfiguration: Codable, Hashable, Sendable {
    package static let kind = "UserData"

    /// Where the agent's program comes from; exactly one of the ways.
    package struct Program: Codable, Hashable, Sendable {
        /// Where it is in images of machines and of OCI.
        static let path = "/usr/bin/tendril-agent"

        /// It is in the machine's image, at /usr/bin/tendril-agent.
        package var baked: Bool?
        /// `https://…` of the program itself.
        package var url: String?
        /// An OCI image that holds it at /usr/bin/tendril-agent, pulled by containerd.
        package var image: String?
        /// The digest of the program in hexadecimal digits; with `url` and `image`.
        package var sha256: String?

        package init(baked: Bool? = nil, url: String? = nil, image: String? = nil, sha256: String? = nil) {
            (self.baked, self.url, self.image, self.sha256) = (baked, url, image, sha256)
        }

        /// Every problem; none means that a machine can get it.
        ///
        /// - Parameter path: where the program stands in its document.
        /// - Returns: the problems, by their paths there.
        package func problems(at path: String) -> [ConfigurationProblem] {
            var problems: [ConfigurationProblem] = []
            let ways = [baked == true, url != nil, image != nil].filter { $0 }.count
            problems.require(ways == 1, path, "needs one of baked, url and image")
            problems.require(url?.hasPrefix("https://") ?? true, "\(path).url", "is not https")
            problems.require(
                (url ?? image ?? "x").utf8.allSatisfy(\.isVisible),
                path,
                "holds spaces or control characters"
            )
            problems.require(
                sha256.map(DigestText.isSHA256) ?? true,
                "\(path).sha256",
                "is not 64 hexadecimal digits"
            )
            problems.require(baked == true || sha256 != nil, "\(path).sha256", "is missing")
            return problems
        }
    }

    package var apiVersion: String
    package var kind: String
    package var agent: AgentConfiguration
    package var program: Program
    /// The bootstrap token.
    package var token: String

    package init(agent: AgentConfiguration, program: Program, token: String) {
        (apiVersion, kind) = (AgentConfiguration.apiVersion, Self.kind)
        (self.agent, self.program, self.token) = (agent, program, token)
    }

    /// Every problem; none means that it can be rendered.
    package var problems: [ConfigurationProblem] {
        var problems = agent.problems.map { ConfigurationProblem("agent.\($0.path)", $0.reason) }
        problems.require(
            apiVersion == AgentConfiguration.apiVersion,
            "apiVersion",
            "must be \(AgentConfiguration.apiVersion)"
        )
        problems.require(kind == Self.kind, "kind", "must be \(Self.kind)")
        problems.require(
            BootstrapToken(token) != nil,
            "token",
            "is no bootstrap token (six characters, a dot, sixteen characters)"
        )
        problems.require(agent.tokenFile == nil, "agent.tokenFile", "is set by the user data")
        return problems + program.problems(at: "program")
    }
}

/// Renders user data.
///
/// Values are encoded by JSON encoders, which YAML readers read too; there is no template.
package enum UserData {
    /// The lowest limit of the providers, in bytes.
    package static let maximumBytes = 16 * 1024

    /// The forms that machines read.
    package enum Format: String, CaseIterable, Sendable {
        /// cloud-init's `#cloud-config`.
        case cloudConfig = "cloud-config"
        /// Ignition 3.3.0.
        case ignition

        /// Where a program is put that is fetched: systems that read Ignition cannot write to /usr.
        var fetchedProgram: String {
            switch self {
            case .cloudConfig: UserDataConfiguration.Program.path
            case .ignition: "/opt/bin/tendril-agent"
            }
        }
    }

    /// User data that is too large or cannot be encoded.
    package struct RenderingError: Error, CustomStringConvertible {
        package let description: String
    }

    private struct File {
        let path: String
        let mode: Int
        let text: String
    }

    /// Renders a configuration that has no problems.
    ///
    /// - Parameters:
    ///   - configuration: is secret, for it holds the token.
    ///   - format: the form.
    ///   - unit: the text of tendril-agent.service.
    /// - Returns: the user data.
    /// - Throws: `RenderingError` for more than `maximumBytes`.
    package static func render(
        _ configuration: UserDataConfiguration,
        as format: Format,
        unit: String
    ) throws -> [UInt8] {
        var agent = configuration.agent
        agent.tokenFile = AgentConfiguration.tokenPath
        var files = [
            File(path: AgentConfiguration.path, mode: 0o600, text: try CanonicalJSON.text(agent) + "\n"),
            File(path: AgentConfiguration.tokenPath, mode: 0o600, text: configuration.token + "\n"),
        ]
        var units = [("tendril-agent.service", unit)]
        if let source = configuration.program.url ?? configuration.program.image {
            let values = [source, configuration.program.sha256 ?? ""].joined(separator: "\n") + "\n"
            files.append(File(path: "/etc/tendril/program", mode: 0o600, text: values))
            let fetch = FetchProgram(path: format.fetchedProgram)
            files.append(File(path: "/etc/tendril/fetch-program", mode: 0o700, text: fetch.script))
            let own = unit.replacing(UserDataConfiguration.Program.path, with: fetch.path)
            units = [("tendril-agent.service", own), ("tendril-fetch.service", fetch.unit)]
        }
        let bytes =
            switch format {
            case .cloudConfig: try cloudConfig(files, units)
            case .ignition: try ignition(files, units)
            }
        guard bytes.count <= maximumBytes else {
            throw RenderingError(description: "the user data has \(bytes.count) bytes; providers take \(maximumBytes)")
        }
        return bytes
    }

    private static func cloudConfig(_ files: [File], _ units: [(name: String, text: String)]) throws -> [UInt8] {
        let all = files + units.map { File(path: "/etc/systemd/system/\($0.name)", mode: 0o644, text: $0.text) }
        let document: JSONValue = [
            "write_files": .array(
                all.map { file in
                    let digits = String(file.mode, radix: 8)
                    return [
                        "path": .string(file.path), "permissions": .string("0" + digits), "content": .string(file.text),
                    ]
                }
            ),
            "runcmd": [
                ["systemctl", "daemon-reload"],
                .array((["systemctl", "enable", "--now", "--no-block"] + units.map(\.name)).map { .string($0) }),
            ],
        ]
        return Array("#cloud-config\n".utf8) + (try CanonicalJSON.bytes(document)) + [0x0A]
    }

    private static func ignition(_ files: [File], _ units: [(name: String, text: String)]) throws -> [UInt8] {
        let document: JSONValue = [
            "ignition": ["version": "3.3.0"],
            "storage": [
                "files": .array(
                    files.map { file in
                        let source = "data:;base64," + Array(file.text.utf8).base64
                        return [
                            "path": .string(file.path), "mode": .integer(file.mode), "overwrite": true,
                            "contents": ["source": .string(source)],
                        ]
                    }
                )
            ],
            "systemd": [
                "units": .array(
                    units.map { ["name": .string($0.name), "enabled": true, "contents": .string($0.text)] }
                )
            ],
        ]
        return try CanonicalJSON.bytes(document) + [0x0A]
    }
}

/// Brings the agent's program to a machine whose image lacks it.
///
/// The text is the same for all machines of a kind; what differs between machines it reads from a file.
private struct FetchProgram {
    /// Where it is put.
    let path: String

    var unit: String {
        """
        [Unit]
        Description=Fetch tendril-agent
        After=network-online.target containerd.service
        Wants=network-online.target
        Before=tendril-agent.service
        ConditionPathExists=!\(path)

        [Service]
        Type=oneshot
        ExecStart=/etc/tendril/fetch-program
        Restart=on-failure
        RestartSec=5
        UMask=0077

        [Install]
        WantedBy=multi-user.target

        """
    }

    var script: String {
        """
        #!/bin/sh
        # Fetches tendril-agent by URL or from an OCI image, and checks its digest before it is put in place.
        set -eu
        { read -r source; read -r sha256; } </etc/tendril/program
        program=\(path)
        new=${program%/*}/.tendril-agent.new
        mkdir -p -m 0755 "${program%/*}"
        case $source in
        https://*) curl -fsS --proto =https --max-time 300 -o "$new" "$source" ;;
        *)
          ctr -n tendril images pull --hosts-dir /etc/containerd/certs.d "$source" >/dev/null
          mount=$(mktemp -d)
          # However it ends: it is run again until it succeeds.
          trap 'ctr -n tendril images unmount --rm "$mount" >/dev/null || :; rmdir "$mount" || :' EXIT
          trap 'exit 1' HUP INT TERM
          ctr -n tendril images mount "$source" "$mount" >/dev/null
          cp "$mount\(UserDataConfiguration.Program.path)" "$new"
          ;;
        esac
        echo "$sha256  $new" | sha256sum -c --quiet -
        chmod 0755 "$new"
        sync "$new"
        mv "$new" "$program"
        systemctl --no-block restart tendril-agent.service

        """
    }
}
