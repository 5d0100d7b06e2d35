/// What the fields of a status mean, for `kubectl explain` and the reference page.
enum StatusRules {
    /// Of a Shoot.
    static let shoot: [String: FieldRule] = conditions.merging([
        "status": FieldRule("What has become of it; the coordinator writes this."),
        "status.observedGeneration": FieldRule("The generation that was accepted and done last."),
        "status.technicalID": FieldRule("The namespace of the control plane in the seed."),
        "status.seedName": FieldRule("The seed that hosts the control plane."),
        "status.kubernetesVersion": FieldRule("The release that control plane and nodes run."),
        "status.isHibernated": FieldRule("Whether it sleeps."),
        "status.lastOperation": FieldRule("What is being done, or was done last."),
        "status.lastOperation.type": FieldRule("What kind of operation it is."),
        "status.lastOperation.state": FieldRule(
            "How far it is. Error is tried again by itself; Failed waits until something changes."
        ),
        "status.lastOperation.progress": FieldRule("In percent."),
        "status.lastOperation.description": FieldRule("What is done now, or why nothing is."),
        "status.lastOperation.lastUpdateTime": FieldRule("When this was written."),
        "status.lastOperation.generation": FieldRule("The generation of the Shoot that it is about."),
        "status.lastErrors": FieldRule("Why tasks of the last operation are not done; none where all are."),
        "status.lastErrors[].task": FieldRule("The task that is not done."),
        "status.lastErrors[].code": FieldRule("What kind of failure it was; docs/shoots.md says what to do."),
        "status.lastErrors[].description": FieldRule("The reason, with the field where it is one's fault."),
        "status.lastErrors[].lastUpdateTime": FieldRule("When it failed."),
        "status.advertisedAddresses": FieldRule("Where the cluster is reached."),
        "status.advertisedAddresses[].name": FieldRule("From where."),
        "status.advertisedAddresses[].url": FieldRule("The API server's URL."),
        "status.credentialRotation": FieldRule("How far the exchange of all CAs and keys is."),
        "status.credentialRotation.phase": FieldRule("Prepared waits for people, to complete it."),
        "status.credentialRotation.startTime": FieldRule("When it was begun."),
        "status.credentialRotation.completionTime": FieldRule("When it was completed."),
        "status.snapshots": FieldRule("The newest snapshots of its etcd in the seed's bucket, the last first."),
        "status.snapshots[].name": FieldRule("By which tendril shoot restore knows it."),
        "status.snapshots[].time": FieldRule("When it was made."),
        "status.snapshots[].size": FieldRule("In bytes."),
        "status.restoration": FieldRule("The last restoration of its etcd."),
        "status.restoration.snapshot": FieldRule("The snapshot's name."),
        "status.restoration.phase": FieldRule("After Failed the cluster goes on with the data of before."),
        "status.restoration.startTime": FieldRule("When it was begun."),
        "status.restoration.completionTime": FieldRule("When it ended."),
        "status.restoration.message": FieldRule("Why it failed."),
        "status.restoration.isStopped": FieldRule("After Failed, until the control plane has started again."),
        "status.infrastructure": FieldRule("What the provider says of its resources."),
    ]) { _, own in own }

    /// Of a Seed.
    static let seed: [String: FieldRule] = conditions.merging([
        "status": FieldRule("What is seen of it; its coordinator writes this."),
        "status.shoots": FieldRule("How many shoots it hosts."),
        "status.conditions[].lastHeartbeatTime": FieldRule("When a coordinator said so last."),
    ]) { _, own in own }

    /// Conditions (Kubernetes API conventions, "Typical status properties").
    private static let conditions: [String: FieldRule] = [
        "status.conditions": FieldRule("How it is."),
        "status.conditions[].type": FieldRule("What is judged."),
        "status.conditions[].status": FieldRule("True, False or Unknown."),
        "status.conditions[].reason": FieldRule("Why, in one word."),
        "status.conditions[].message": FieldRule("Why, for people."),
        "status.conditions[].lastTransitionTime": FieldRule("When the status became another one."),
        "status.conditions[].lastUpdateTime": FieldRule("Not written here."),
        "status.conditions[].lastHeartbeatTime": FieldRule("Not written here."),
    ]
}
