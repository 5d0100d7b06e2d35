import ClusterModel
import TendrilCore

/// One file as it is to be.
package struct DesiredFile: Hashable, Sendable {
    /// Where its content comes from.
    package enum Source: Hashable, Sendable {
        case bytes([UInt8])
        /// Too large to be carried around.
        case image(NodeConfiguration.ImageFile)
    }

    package let source: Source
    package let mode: UInt32
    /// SHA-256 of the content in hexadecimal digits.
    package let digest: String

    package init(content: [UInt8], mode: UInt32, digest: String) {
        (source, self.mode, self.digest) = (.bytes(content), mode, digest)
    }

    package init(image: NodeConfiguration.ImageFile, mode: UInt32) {
        (source, self.mode, digest) = (.image(image), mode, image.sha256)
    }

    /// The content as text; `nil` where it is not at hand.
    package var text: String? {
        guard case .bytes(let bytes) = source else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// One unit as it is to be; its text is among the files.
package struct DesiredUnit: Hashable, Sendable {
    package let name: String
    /// Left as it is where this is `nil`.
    package let enabled: Bool?
    package let state: NodeConfiguration.UnitState
    /// Files whose change restarts it, besides its own.
    package let triggers: Set<String>
    /// Whether systemd does not show afterwards that it has run: it is started once, and again when it changes.
    package let isForgotten: Bool
}

/// All that a generation wants of a machine.
package struct DesiredNode: Hashable, Sendable {
    package var files: [String: DesiredFile]
    package var units: [DesiredUnit]

    /// Nothing at all: what `reset` wants.
    package static let nothing = DesiredNode(files: [:], units: [])

    package init(files: [String: DesiredFile], units: [DesiredUnit]) { (self.files, self.units) = (files, units) }

    /// Expands a configuration for one machine.
    ///
    /// - Parameters:
    ///   - configuration: has no problems.
    ///   - host: the machine.
    ///   - secrets: the bytes of every file that refers to a Secret, and of the tunnel's certificate, by path.
    ///   - digest: SHA-256 in hexadecimal digits.
    /// - Throws: `ConfigurationProblem` where the machine cannot be as it is wanted.
    package init(
        _ configuration: NodeConfiguration,
        on host: HostFacts,
        secrets: [String: [UInt8]],
        digest: ([UInt8]) -> String
    ) throws {
        var files = configuration.spec.files ?? []
        var units = configuration.spec.units ?? []
        if let kubelet = configuration.spec.kubelet {
            let rendered = try KubeletRendering.render(kubelet, runtime: configuration.spec.containerRuntime, on: host)
            files += rendered.files
            units.append(rendered.unit)
        }
        if let authority = configuration.spec.certificateAuthority {
            let content = NodeConfiguration.Content(inline: authority)
            files.append(NodeConfiguration.File(path: KubeletPaths.authority, mode: "0644", content: content))
        }
        if let certificate = configuration.spec.tunnelCertificate { files.append(certificate.file) }
        self.files = [:]
        self.units = []
        for file in files {
            guard let mode = FileMode(file.mode ?? "0600") else {
                throw ConfigurationProblem(file.path, "has no mode that can be used")
            }
            if let image = file.content.image {
                self.files[file.path] = DesiredFile(image: image, mode: mode.bits)
                continue
            }
            guard let bytes = file.content.bytes ?? secrets[file.path] else {
                throw ConfigurationProblem(file.path, "has no content that can be used")
            }
            self.files[file.path] = DesiredFile(content: bytes, mode: mode.bits, digest: digest(bytes))
        }
        for unit in units {
            var own: [(path: String, text: String)] = unit.content.map { [(UnitName.path(unit.name), $0)] } ?? []
            own += (unit.dropIns ?? []).map { (UnitName.path(unit.name, dropIn: $0.name), $0.content) }
            for (path, text) in own {
                let bytes = Array(text.utf8)
                self.files[path] = DesiredFile(content: bytes, mode: 0o644, digest: digest(bytes))
            }
            self.units.append(
                DesiredUnit(
                    name: unit.name,
                    enabled: unit.enabled,
                    state: unit.state ?? .started,
                    triggers: Set(unit.restartOn ?? []),
                    isForgotten: unit.isForgotten
                )
            )
        }
    }
}

extension NodeConfiguration.Content {
    /// The bytes, unless they are in a Secret or an image.
    package var bytes: [UInt8]? {
        inline.map { Array($0.utf8) } ?? base64.flatMap { [UInt8](base64: $0) }
    }
}

/// What is at a path now.
package enum ObservedFile: Hashable, Sendable {
    case absent
    /// SHA-256 in hexadecimal digits, and permission bits.
    case file(digest: String, mode: UInt32)
    /// A link, a directory or something else that is never written through.
    case foreign(String)
}

/// What a unit does now.
package struct ObservedUnit: Hashable, Sendable {
    package var isActive: Bool
    package var isEnabled: Bool
    /// What enabling or disabling it comes to.
    package var enabling: Enabling

    /// What enabling or disabling a unit comes to.
    package enum Enabling: Hashable, Sendable {
        /// It is enabled or not, and systemd tells which.
        case told
        /// It may be enabled for the sake of others, and systemd does not tell whether it was.
        case untold
        /// It is as it is.
        case none
    }

    package init(isActive: Bool, isEnabled: Bool, enabling: Enabling = .told) {
        (self.isActive, self.isEnabled, self.enabling) = (isActive, isEnabled, enabling)
    }
}

/// The machine as it is, as far as a plan needs it.
package struct ObservedNode: Sendable {
    package var files: [String: ObservedFile]
    package var units: [String: ObservedUnit]
    /// The meaning of unit files that are there, by path.
    package var unitTexts: [String: String]

    package init(files: [String: ObservedFile], units: [String: ObservedUnit], unitTexts: [String: String] = [:]) {
        (self.files, self.units, self.unitTexts) = (files, units, unitTexts)
    }
}
