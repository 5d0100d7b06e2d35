internal import ClusterModel
internal import KubernetesClient
internal import LinuxSystem
internal import Logging
internal import ShootPlan
internal import TendrilCore

/// What people ask for by an annotation.
struct ShootWishes: Sendable {
    let garden: KubernetesClient
    let events: ShootEvents
    let logger: Logger

    /// What a person asks for, once it is written down what that means for credentials; `nil` for nothing,
    /// and for what cannot be, which is told.
    func take(
        _ work: ShootWork,
        _ records: inout FlowRecords,
        save: (FlowRecords) async throws -> Void
    ) async throws -> ShootOperation? {
        let shoot = work.shoot
        guard let text = shoot.operation else { return nil }
        var rotation = records.rotation ?? Rotation()
        let operation = ShootOperation(rawValue: text)
        let refusal: String?
        switch operation {
        case nil: refusal = "is none of \(ShootOperation.allCases.map(\.rawValue).joined(separator: ", "))"
        case .reconcile, .retry: return operation
        case .rotateStart, .rotateComplete:
            // Who wrote it down may have been stopped before the annotation was taken away.
            if operation.map(rotation.hasBegun) == true {
                try await tell(shoot, records)
                try await acknowledge(shoot)
                return operation
            }
            if shoot.isHibernated {
                refusal = "the shoot sleeps"
            } else if records.restoration?.phase.isOver == false {
                refusal = "a restoration is under way"
            } else {
                refusal = operation == .rotateStart ? rotation.start(at: Clock.unixTime()) : rotation.complete()
            }
        case .restore:
            // The Shoot as it was seen last may be older than what was done about it.
            guard try await isStanding(shoot) else { return nil }
            if isBegun(shoot, records.restoration) {
                try await tell(shoot, records)
                try await acknowledge(shoot)
                return operation
            }
            refusal = try await restore(work, &records)
        }
        if let refusal {
            logger.warning("refused", metadata: ["operation": "\(text.prefix(63))", "reason": "\(refusal)"])
            await events.tell(shoot, ShootOperation.refusal, "\(text.prefix(63)): \(refusal)", isWarning: true)
        } else {
            records.rotation = rotation
            try await save(records)
            // Whoever finds the annotation gone finds this said.
            try await tell(shoot, records)
        }
        // It is written down, and must not be taken a second time.
        try await acknowledge(shoot)
        return refusal == nil ? operation : nil
    }

    /// Whether the garden still knows a shoot's wish as it is.
    private func isStanding(_ shoot: Shoot) async throws -> Bool {
        let newest = try await garden.get(Shoot.self, shoot.name, namespace: shoot.namespace)
        let names = [newest, shoot].map { $0.metadata.annotations?[ShootAnnotation.snapshot] }
        return newest.operation == shoot.operation && names[0] == names[1]
    }

    /// Whether the restoration that a shoot's annotations ask for was written down, and whoever did so stopped before they were taken
    /// away: its data is put in place only after that, so that what is asked for later is another one.
    func isBegun(_ shoot: Shoot, _ restoration: Restoration?) -> Bool {
        guard let restoration, restoration.phase == .replacing,
            shoot.operation == ShootOperation.restore.rawValue
        else { return false }
        let asked = shoot.metadata.annotations?[ShootAnnotation.snapshot]
        return asked == nil || asked == restoration.snapshot
    }

    /// Begins the restoration that a shoot's annotations ask for, in what is remembered alone; why not, or `nil`.
    private func restore(_ work: ShootWork, _ records: inout FlowRecords) async throws -> String? {
        let (last, now) = (records.restoration, Clock.unixTime())
        let asked = work.shoot.metadata.annotations?[ShootAnnotation.snapshot]
        let next: Restoration?
        do {
            if asked == Restoration.former {
                if let refusal = Restoration.refusalOfWayBack(of: work.shoot, records) { return refusal }
                next = last.map { Restoration(backTo: $0, at: now) }
            } else {
                guard let snapshots = try ShootSnapshots(work) else { return "the seed makes no snapshots" }
                let all = try await snapshots.list()
                let chosen = all.first { asked == nil ? !SnapshotPlan.isAhead($0.time, of: now) : $0.name == asked }
                if let refusal = Restoration.refusal(of: work.shoot, records, from: chosen) { return refusal }
                next = chosen.map { Restoration($0, at: now, after: last) }
            }
            if let next { try await RestorationTask.rehearse(work, next) }
        } catch {
            // Who is cut short by something newer, or by another coordinator, has refused nothing.
            try Task.checkCancellation()
            return "\(error)"
        }
        records.restoration = next
        return nil
    }

    /// Says what was begun, or is under way.
    private func tell(_ shoot: Shoot, _ records: FlowRecords) async throws {
        var fields: [String: JSONValue] = [:]
        if let rotation = ShootFields.rotation(records) { fields["credentialRotation"] = rotation }
        if let restoration = ShootFields.restoration(records) { fields["restoration"] = restoration }
        try await garden.patchStatus(of: shoot, .object(fields))
    }

    /// Takes the annotation away, so that nothing is done twice; another wish that came meanwhile stays.
    func acknowledge(_ shoot: Shoot) async throws {
        for _ in 0..<5 {
            let newest = try await garden.get(Shoot.self, shoot.name, namespace: shoot.namespace)
            guard let wish = newest.operation, wish == shoot.operation else { return }
            let change: JSONValue = [
                "resourceVersion": .string(newest.metadata.resourceVersion ?? ""),
                "annotations": [ShootAnnotation.operation: .null, ShootAnnotation.snapshot: .null],
            ]
            do throws(APIError) {
                try await garden.patch(Shoot.self, shoot.name, namespace: shoot.namespace, ["metadata": change])
                return
            } catch {
                guard error.isConflict else { throw error }
            }
        }
    }
}
