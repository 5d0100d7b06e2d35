internal import ClusterModel
internal import KubernetesClient
internal import LinuxSystem

/// The Events of shoots.
struct ShootEvents: Sendable {
    let garden: KubernetesClient

    /// Tells people who look at the shoot's Events.
    func tell(_ shoot: Shoot, _ reason: String, _ message: String, isWarning: Bool) async {
        let event = Event(
            reason,
            message,
            isWarning: isWarning,
            about: Event.Reference(
                apiVersion: TendrilAPI.groupVersion,
                kind: "Shoot",
                name: shoot.name,
                namespace: shoot.namespace,
                uid: shoot.metadata.uid
            ),
            from: Event.Source(component: Ownership.manager),
            at: Clock.unixTime()
        )
        _ = try? await garden.create(event)
    }
}
