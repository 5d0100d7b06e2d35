package import ClusterModel
package import ShootPlan
package import TendrilCore

/// What the status of a shoot says of what was written down for it, where that is lost.
///
/// What was done is done again. What was accepted and what was restored stands nowhere else, and is not to be taken for nothing.
package enum LostRecords {
    /// What was done, as far as it matters that it was.
    ///
    /// The exchange of credentials is not among it: those that are there say more.
    ///
    /// - Parameter shoot: as the garden says it.
    /// - Returns: the records; none for a shoot that is new.
    /// - Throws: where what is said cannot be read.
    package static func records(of shoot: Shoot) throws(ConfigurationError) -> FlowRecords {
        var records = FlowRecords()
        guard let status = shoot.status else { return records }
        if let told = status.restoration {
            let size = status.snapshots?.first { $0.name == told.snapshot }?.size ?? 0
            records.restoration = Restoration(finding: told, size: size)
            guard records.restoration != nil else {
                throw ConfigurationError("status.restoration.startTime", "\(told.startTime) is no time")
            }
        }
        if let made = status.infrastructure {
            // Of what is there some things cannot change; all of it is looked at again.
            records.tasks[TaskName.infrastructure] = FlowRecords.Record(inputs: "", output: made)
        }
        return records
    }

    /// What was accepted last: what is wanted, where the status says that just that was done; `nil` where nothing ever was.
    ///
    /// - Parameter shoot: as the garden says it.
    /// - Returns: the spec.
    /// - Throws: where something else was accepted, of which nobody knows any more: a change could not be judged by it.
    package static func spec(of shoot: Shoot) throws(ConfigurationError) -> Shoot.Spec? {
        guard let observed = shoot.status?.observedGeneration else { return nil }
        let generation = shoot.metadata.generation ?? 0
        // To be deleted is a generation of its own.
        let isNext = generation > observed && generation - 1 == observed
        if generation == observed || shoot.isBeingDeleted && isNext { return shoot.spec }
        let namespace = TechnicalID(project: shoot.namespace, name: shoot.name)?.description ?? ""
        throw ConfigurationError(
            "spec",
            "what was accepted last is not known: the ConfigMap tendril-flow of the namespace \(namespace) is gone, "
                + "and generation \(generation) is not done yet, only \(observed). "
                + "Write down in the seed what was accepted: "
                + "kubectl -n \(namespace) create configmap tendril-flow --from-file=spec.json"
        )
    }
}
