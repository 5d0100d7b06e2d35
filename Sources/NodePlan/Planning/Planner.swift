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
        var after: [Step] = []
        for (name, original) in gone {
            let ownsUnit = manifest.files[UnitName.path(name)] == .absent
            if ownsUnit || !original.wasActive, observed.units[name]?.isActive == true { stops.append(.stop(name)) }
            if ownsUnit || !original.wasEnabled, observed.units[name]?.isEnabled == true {
                stops.append(.disable(name))
            }
            // One of the operating system's, without what we laid over it.
            if !ownsUnit, original.wasActive, isTouched(name, changed) { after.append(.restart(name)) }
            plan.behind.units[name] = nil
        }
        // A unit is stopped while systemd still knows it.
        plan.steps = stops + plan.steps
        reload(manifest, &plan)
        var last: [Step] = []
        for unit in desired.units {
            let now = observed.units[unit.name] ?? ObservedUnit(isActive: false, isEnabled: false)
            keep(unit.name, now, in: &plan)
            enable(unit, now, manifest, changed, &plan)
            let mustBegin = unit.state == .started && isDue(unit, now, manifest, changed)
            if mustBegin { plan.ahead.owedRestarts.insert(unit.name) }
            guard let step = activation(of: unit, now, mustBegin: mustBegin) else { continue }
            // Everything else stands before the kubelet asks for it.
            if unit.name == KubeletPaths.unit, unit.state == .started { last.append(step) } else { after.append(step) }
        }
        (plan.behind.owedRestarts, plan.behind.owedEnables) = ([], nil)
        let finished = desired.units.filter { $0.isForgotten && $0.state == .started }.map(\.name)
        plan.behind.finished = finished.isEmpty ? nil : Set(finished)
        plan.steps += after + last
    }

    /// Enables or disables a unit that is not as it is wanted; where that does not show, once, and when it has changed.
    private static func enable(
        _ unit: DesiredUnit,
        _ now: ObservedUnit,
        _ manifest: Manifest,
        _ changed: Set<String>,
        _ plan: inout Plan
    ) {
        guard let enabled = unit.enabled else { return }
        switch now.enabling {
        case .none: return
        case .told:
            guard enabled != now.isEnabled else { return }
        case .untold:
            let isDue =
                manifest.units[unit.name] == nil || manifest.owedEnables?.contains(unit.name) == true
                || isTouched(unit.name, changed)
            guard enabled, isDue else { return }
            plan.ahead.owedEnables = (plan.ahead.owedEnables ?? []).union([unit.name])
        }
        plan.steps.append(enabled ? .enable(unit.name) : .disable(unit.name))
    }

    /// Has systemd read its units where the steps so far change some, or that is owed.
    private static func reload(_ manifest: Manifest, _ plan: inout Plan) {
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
    }

    private static func keep(_ unit: String, _ now: ObservedUnit, in plan: inout Plan) {
        guard plan.ahead.units[unit] == nil else { return }
        let original = Manifest.UnitOriginal(wasEnabled: now.isEnabled, wasActive: now.isActive)
        plan.ahead.units[unit] = original
        plan.behind.units[unit] = original
    }

    /// Whether a unit that is to be started has to begin anew.
    private static func isDue(
        _ unit: DesiredUnit,
        _ now: ObservedUnit,
        _ manifest: Manifest,
        _ changed: Set<String>
    ) -> Bool {
        isTouched(unit.name, changed) || !unit.triggers.isDisjoint(with: changed)
            || manifest.owedRestarts.contains(unit.name)
            || (unit.isForgotten && !now.isActive && manifest.finished?.contains(unit.name) != true)
    }

    /// What brings a unit into the state that is wanted; `nil` where it is in it.
    private static func activation(of unit: DesiredUnit, _ now: ObservedUnit, mustBegin: Bool) -> Step? {
        switch unit.state {
        case .untouched: return nil
        case .stopped: return now.isActive ? .stop(unit.name) : nil
        case .started:
            if mustBegin { return now.isActive ? .restart(unit.name) : .start(unit.name) }
            return now.isActive || unit.isForgotten ? nil : .start(unit.name)
        }
    }

    private static func isTouched(_ unit: String, _ changed: Set<String>) -> Bool {
        changed.contains(UnitName.path(unit)) || changed.contains { $0.hasPrefix(UnitName.path(unit) + ".d/") }
    }
}
