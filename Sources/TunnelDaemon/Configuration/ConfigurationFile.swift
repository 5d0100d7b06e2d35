import LinuxSystem
import StrictYAML
package import TendrilCore

/// Reads a configuration file in component-config form into raw settings.
package enum ConfigurationFile {
    package static let apiVersion = "vpn.tendril.dev/v1alpha1"

    /// The document's kind for a role: `ServerConfiguration` or `ClientConfiguration`.
    package static func kind(of role: TunnelIdentity.Role) -> String {
        role == .server ? "ServerConfiguration" : "ClientConfiguration"
    }

    /// Reads a file.
    package static func load(_ path: String, role: TunnelIdentity.Role) throws -> RawSettings {
        try parse(try DurableFile.read(path), role: role)
    }

    /// Reads the bytes of a file; every unknown key and wrong shape is found in one go.
    package static func parse(
        _ bytes: [UInt8],
        role: TunnelIdentity.Role
    ) throws(ConfigurationError) -> RawSettings {
        let document: YAMLNode
        do throws(YAMLError) {
            document = try YAMLParser.parse(bytes)
        } catch {
            throw ConfigurationError("configuration file", error.description)
        }
        guard case .mapping(let entries) = document.content else {
            throw ConfigurationError("configuration file", "is \(document.kind), not a mapping")
        }
        var reader = FileReader()
        reader.expect("apiVersion", apiVersion, in: entries)
        reader.expect("kind", kind(of: role), in: entries)
        for entry in entries where entry.key != "apiVersion" && entry.key != "kind" { reader.read(entry, role) }
        guard reader.problems.isEmpty else { throw ConfigurationError(reader.problems) }
        return reader.settings
    }
}

private struct FileReader {
    var settings = RawSettings()
    var problems: [ConfigurationProblem] = []

    mutating func expect(_ key: String, _ value: String, in entries: [YAMLNode.Entry]) {
        guard let entry = entries.first(where: { $0.key == key }) else {
            problems.add(key, "is missing; it must be \(value)")
            return
        }
        if case .scalar(value, _) = entry.value.content { return }
        problems.add(key, "must be \(value)")
    }

    mutating func read(_ entry: YAMLNode.Entry, _ role: TunnelIdentity.Role) {
        if entry.key == "clients", role == .server {
            readClients(entry.value)
        } else if let setting = Setting.allCases.first(where: { $0.key == entry.key }) {
            guard !entry.value.isNull else { return }
            settings.values[setting] = setting.isList ? list(entry.value, entry.key) : scalar(entry.value, entry.key)
        } else {
            problems.add(entry.key, "is no setting (line \(entry.line))")
        }
    }

    private mutating func scalar(_ node: YAMLNode, _ path: String) -> [RawValue] {
        guard case .scalar(let text, _) = node.content else {
            problems.add(path, "is \(node.kind), not a single value (line \(node.line))")
            return []
        }
        return [RawValue(text, path: path)]
    }

    private mutating func list(_ node: YAMLNode, _ path: String) -> [RawValue] {
        guard case .sequence(let items) = node.content else {
            problems.add(path, "is \(node.kind), not a list (line \(node.line))")
            return []
        }
        return items.enumerated().flatMap { scalar($1, "\(path)[\($0)]") }
    }

    private mutating func readClients(_ node: YAMLNode) {
        guard case .sequence(let items) = node.content else {
            problems.add("clients", "is \(node.kind), not a list (line \(node.line))")
            return
        }
        for (index, item) in items.enumerated() { readClient(item, "clients[\(index)]") }
    }

    private mutating func readClient(_ node: YAMLNode, _ path: String) {
        guard case .mapping(let entries) = node.content else {
            problems.add(path, "is \(node.kind), not a mapping (line \(node.line))")
            return
        }
        var client = RawSettings.Client(name: RawValue("", path: "\(path).name"))
        for entry in entries {
            let inner = "\(path).\(entry.key)"
            switch entry.key {
            case "name": client.name = scalar(entry.value, inner).first ?? client.name
            case "addresses": client.addresses = list(entry.value, inner)
            case "networks": client.networks = list(entry.value, inner)
            default: problems.add(inner, "is no setting (line \(entry.line))")
            }
        }
        settings.clients.append(client)
    }
}
