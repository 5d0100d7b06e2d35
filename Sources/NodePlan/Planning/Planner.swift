package import TendrilCore

/// Computes a plan as a value, from what is and what is wanted.
package enum Planner {
    /// Plans the way to a generation.
    ///
    /// - Parameters:
    ///   - desired: all that is wanted; what the manifest holds beyond it is taken back.
    ///   - observed: every path and unit of `desired` and of the manifest.
    ///   - manifest: what was touched so far.
    /// - Returns: the same plan for the same input, whatever happened before.
    /// - Throws: `ConfigurationProblem` where something is in the way that is never written through.
    package static func plan(
        to desired: DesiredNode,
        from observed: ObservedNode,
        manifest: Manifest
    ) throws(ConfigurationProblem) -> Plan {
        var plan = Plan(originals: [:], ahead: manifest, steps: [], behind: manifest)
        var changed: Set<String> = []
        var removed: Set<String> = []
        for (path, file) in desired.files.sorted(by: { $0.key < $1.key }) {
            let now = observed.files[path] ?? .absent
            if case .foreign(let kind) = now { throw ConfigurationProblem(path, "is \(kind), which is not replaced") }
            keep(path, now, in: &plan)
            guard now != .file(digest: file.digest, mode: file.mode) else { continue }
            plan.steps.append(.write(path: path, file))
            if isMeant(file, at: path, over: now, observed) { changed.insert(path) }
        }
        for (path, original) in manifest.files.sorted(by: { $0.key < $1.key }) where desired.files[path] == nil {
            plan.steps.append(.restore(path: path, original))
            plan.behind.files[path] = nil
            removed.insert(path)
        }
        units(desired, observed, manifest, changed.union(removed), &plan)
        return plan
    }

    private static func keep(_ path: String, _ now: ObservedFile, in plan: inout Plan) {
        guard plan.ahead.files[path] == nil else { return }
        let original: Manifest.Original
        if case .file(_, let mode) = now {
            let name = freeName(plan.ahead)
            plan.originals[path] = name
            original = .kept(name: name, mode: mode)
        } else {
            original = .absent
        }
        plan.ahead.files[path] = original
        plan.behind.files[path] = original
    }

    /// A name for an original that none in the manifest has.
    private static func freeName(_ manifest: Manifest) -> String {
        let taken = manifest.files.values.compactMap { original -> Int? in
            guard case .kept(let name, _) = original else { return nil }
            return Int(name.drop { $0 < "0" || $0 > "9" })
        }
        return "original-\((taken.max() ?? 0) + 1)"
    }

    /// Whether a new content means something else than the old: comments in a unit do not.
    private static func isMeant(_ file: DesiredFile, at path: String, over now: ObservedFile, _ observed: ObservedNode)
        -> Bool
    {
        guard path.hasPrefix(UnitName.directory + "/"), let old = observed.unitTexts[path], now != .absent,
            let new = file.text
        else { return true }
        return UnitText.meaning(old) != UnitText.meaning(new)
    }

    private static func units(
        _ desired: DesiredNode,
        _ observed: ObservedNode,
        _ manifest: Manifest,
        _ changed: Set<String>,
        _ plan: inout Plan
    ) {
        let wanted = Set(desired.units.map(\.name))
        let gone = manifest.units.filter { !wanted.contains($0.key) }.sorted { $0.key < $1.key }
        var stops: [Step] = []
        for (name, original) in gone {
            let ownsUnit = manifest.files[UnitName.path(name)] == .absent
            if ownsUnit || !original.wasActive, observed.units[name]?.isActive == true { stops.append(.stop(name)) }
            if ownsUnit || !original.wasEnabled, observed.units[name]?.isEnabled == true {
                stops.append(.disable(name))
            }
            plan.behind.units[name] = nil
        }
        // A unit is stopped while systemd still knows it.
        plan.steps = stops + plan.steps
        let touchesUnits = plan.steps.contains { step in
            switch step {
            case .write(let path, _), .restore(let path, _): path.hasPrefix(UnitName.directory + "/")
            default: false
            }
        }
        if touchesUnits || manifest.owesReload == true {
            plan.ahead.owesReload = true
            plan.steps.append(.reloadUnits)
        }
        plan.behind.owesReload = nil
        var after: [Step] = []
        for (name, original) in gone where manifest.files[UnitName.path(name)] != .absent {
            // One of the operating system's, without what we laid over it.
            if original.wasActive, isTouched(name, changed) { after.append(.restart(name)) }
        }
        var last: [Step] = []
        for unit in desired.units {
            let now = observed.units[unit.name] ?? ObservedUnit(isActive: false, isEnabled: false)
            if plan.ahead.units[unit.name] == nil {
                let original = Manifest.UnitOriginal(wasEnabled: now.isEnabled, wasActive: now.isActive)
                plan.ahead.units[unit.name] = original
                plan.behind.units[unit.name] = original
            }
            if let enabled = unit.enabled, enabled != now.isEnabled {
                plan.steps.append(enabled ? .enable(unit.name) : .disable(unit.name))
            }
            let isDue =
                isTouched(unit.name, changed) || !unit.triggers.isDisjoint(with: changed)
                || manifest.owedRestarts.contains(unit.name)
                || (unit.isForgotten && !now.isActive && manifest.finished?.contains(unit.name) != true)
            switch unit.state {
            case .untouched: break
            case .stopped: if now.isActive { after.append(.stop(unit.name)) }
            case .started:
                if isDue { plan.ahead.owedRestarts.insert(unit.name) }
                if isDue || (!now.isActive && !unit.isForgotten) {
                    let step: Step = isDue && now.isActive ? .restart(unit.name) : .start(unit.name)
                    // Everything else stands before the kubelet asks for it.
                    if unit.name == KubeletPaths.unit { last.append(step) } else { after.append(step) }
                }
            }
        }
        plan.behind.owedRestarts = []
        let finished = desired.units.filter { $0.isForgotten && $0.state == .started }.map(\.name)
        plan.behind.finished = finished.isEmpty ? nil : Set(finished)
        plan.steps += after + last
    }

    private static func isTouched(_ unit: String, _ changed: Set<String>) -> Bool {
        changed.contains(UnitName.path(unit)) || changed.contains { $0.hasPrefix(UnitName.path(unit) + ".d/") }
    }
}
