import ClusterModel
import TendrilCore

/// What has to be the same in two worlds: everything but times, versions, and what is random.
enum Essence {
    /// In what two worlds are not the same, for people.
    static func difference(_ one: World, _ other: World) -> [String] {
        let machines = one.running == other.running ? [] : ["machines \(one.running), not \(other.running)"]
        return machines + difference(one.seed, other.seed) + difference(one.shoot, other.shoot)
    }

    /// What was done more often in one world than in another, for people.
    static func excess(_ one: History, _ other: History) -> [String] {
        one.changes.sorted { $0.key < $1.key }.compactMap { name, count in
            let most = other.changes[name] ?? 0
            return count <= most ? nil : "\(name): \(count) times, not \(most)"
        }
    }

    /// A path without what is random in it.
    static func name(_ path: String) -> String {
        if let range = path.firstRange(of: "/bootstrap-token-") { return path[..<range.upperBound] + "#" }
        return ["/tendril-node-", "/etcd-restore-"].contains { path.contains($0) } ? masked(path) : path
    }

    private static func difference(_ one: MemoryObjects, _ other: MemoryObjects) -> [String] {
        let (here, there) = (named(one), named(other))
        return Set(here.keys).union(there.keys).sorted().compactMap { name in
            let (mine, theirs) = (here[name] ?? [], there[name] ?? [])
            guard mine != theirs else { return nil }
            let (texts, wanted) = (mine.map { text(name, $0) }.sorted(), theirs.map { text(name, $0) }.sorted())
            guard texts != wanted else { return nil }
            guard texts.count == wanted.count else { return "\(name): \(texts.count) of them, not \(wanted.count)" }
            let pairs = zip(texts.joined().split(separator: "\n"), wanted.joined().split(separator: "\n"))
            return "\(name): \(pairs.first { $0 != $1 }.map { "\($0), not \($1)" } ?? "shorter or longer")"
        }
    }

    private static func named(_ objects: MemoryObjects) -> [String: [JSONValue]] {
        Dictionary(grouping: objects.documents) { name($0.key) }.mapValues { $0.map(\.value) }
    }

    private static func text(_ name: String, _ document: JSONValue) -> String {
        var gone: JSONValue = ["metadata": ["resourceVersion": .null]]
        if name == World.shootPath {
            // How a shoot is, and what was done last, are told anew after each start.
            gone = gone.merging(["status": ["conditions": .null, "lastOperation": .null, "snapshots": .null]])
        }
        var document = MemoryObjects.patched(document, gone)
        if name.hasSuffix("#") { document = document.merging(["metadata": ["name": .string(name)]]) }
        if case .object(let data)? = document["data"], document["kind"]?.text == "Secret" {
            document = document.merging(["data": .object(data.mapValues { _ in "#" })])
        }
        return masked((try? CanonicalJSON.text(document)) ?? "")
    }

    /// A text in which digests, certificates, times and versions are not told.
    private static func masked(_ text: String) -> String {
        var result: [UInt8] = []
        for run in runs(Array(text.utf8)) {
            let isDigest = run.count >= 9 && run.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
            result += isDigest || run.count >= 60 ? [0x23] : run
        }
        return String(decoding: result, as: UTF8.self)
            .replacing(/version \d+/, with: "version #").replacing(/\d{4}-\d\d-\d\dT[\d:.]+Z/, with: "time")
    }

    /// The parts of a text: longest runs of what base64 is made of, and what is between them.
    private static func runs(_ text: [UInt8]) -> [ArraySlice<UInt8>] {
        func isInside(_ byte: UInt8) -> Bool {
            switch byte {
            case 0x2B, 0x30...0x39, 0x3D, 0x41...0x5A, 0x61...0x7A: true
            default: false
            }
        }
        var parts: [ArraySlice<UInt8>] = []
        var start = 0
        for index in text.indices where index > start && isInside(text[index]) != isInside(text[start]) {
            parts.append(text[start..<index])
            start = index
        }
        return parts + [text[start...]]
    }
}
