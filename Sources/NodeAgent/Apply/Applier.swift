internal import LinuxSystem
package import NodePlan

/// Brings a machine to what is wanted, so that a stop at any moment loses nothing: the manifest is written ahead, every
/// file is replaced as a whole, and whoever comes back plans again from what is there.
package struct Applier<Files: FileLayer>: Sendable {
    private let files: Files
    private let units: any UnitControl
    private let store: StateStore<Files>

    package init(files: Files, units: any UnitControl) {
        (self.files, self.units) = (files, units)
        store = StateStore(files)
    }

    /// Plans the way to `desired` from what is there now.
    package func plan(to desired: DesiredNode) throws -> Plan {
        let manifest = try manifest()
        let paths = Set(desired.files.keys).union(manifest.files.keys)
        var observed = ObservedNode(files: [:], units: [:])
        for path in paths {
            let file = try files.observe(path)
            observed.files[path] = file
            if path.hasPrefix(UnitName.directory + "/"), case .file = file,
                let content = try files.read(path, limit: 1 << 20)
            {
                observed.unitTexts[path] = String(decoding: content, as: UTF8.self)
            }
        }
        let names = Set(desired.units.map(\.name)).union(manifest.units.keys).sorted()
        observed.units = try units.observe(names).mapValues(\.observed)
        return try Planner.plan(to: desired, from: observed, manifest: manifest)
    }

    /// Carries a plan out.
    package func carryOut(_ plan: Plan) throws {
        for (path, name) in plan.originals.sorted(by: { $0.key < $1.key }) { try keep(path, as: name) }
        try store.save(plan.ahead, AgentPaths.manifest)
        for step in plan.steps { try perform(step) }
        if plan.behind != plan.ahead { try store.save(plan.behind, AgentPaths.manifest) }
    }

    /// Removes what a stop in the middle of a replacement left beside any file that was ever touched.
    package func tidy() throws {
        let state = try [AgentPaths.state, AgentPaths.originals].flatMap { directory in
            try files.list(directory).compactMap { ConfinedFiles.target(ofTemporary: $0) }.map { "\(directory)/\($0)" }
        }
        for path in try manifest().files.keys.sorted() + state { try files.removeTemporary(for: path) }
    }

    /// What was touched so far.
    package func manifest() throws -> Manifest { try store.load(Manifest.self, AgentPaths.manifest) ?? Manifest() }

    private func perform(_ step: Step) throws {
        switch step {
        case .write(let path, let file): try write(path, file)
        case .restore(let path, let original): try restore(path, original)
        case .reloadUnits: try units.reload()
        case .enable(let name): try units.perform(.enable, name)
        case .disable(let name): try units.perform(.disable, name)
        case .start(let name): try units.perform(.start, name)
        case .stop(let name): try units.perform(.stop, name)
        case .restart(let name): try units.perform(.restart, name)
        }
    }

    private func write(_ path: String, _ file: DesiredFile) throws {
        switch file.source {
        case .bytes(let bytes): try files.replace(path, bytes, mode: file.mode)
        case .image(let image):
            guard try files.replace(path, from: AgentPaths.download(file.digest), mode: file.mode) else {
                throw AgentFailure(.image, "\(path) of \(image.reference) was not fetched")
            }
        }
    }

    private func keep(_ path: String, as name: String) throws {
        try files.replace("\(AgentPaths.originals)/\(name)", from: path, mode: 0o600)
    }

    private func restore(_ path: String, _ original: Manifest.Original) throws {
        switch original {
        case .absent:
            try files.remove(path)
            try files.syncDirectory(of: path)
        case .kept(let name, let mode):
            // It is gone only where it was put back before a stop.
            try files.replace(path, from: "\(AgentPaths.originals)/\(name)", mode: mode)
        }
    }
}
