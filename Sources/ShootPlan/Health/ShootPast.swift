package import ClusterModel
package import TendrilCore

/// What had become of a shoot when somebody wanted something of it.
///
/// A failure that was there already may be what that is to mend.
package struct ShootPast: Sendable {
    /// After so long without news that failure is the answer: a coordinator that begins says so at once, and what it
    /// refuses it tells once.
    private static let patience = Nanoseconds.seconds(10)

    private let operation: ShootStatus.Operation?
    private let time: MonotonicTime

    /// Takes the shoot as it was then.
    ///
    /// - Parameters:
    ///   - shoot: as it was.
    ///   - time: by the monotonic clock.
    package init(_ shoot: Shoot, at time: MonotonicTime) {
        operation = shoot.status?.lastOperation
        self.time = time
    }

    /// What is still to be passed over of it, since news may come; `nil` for nothing.
    package func passedOver(at now: MonotonicTime) -> ShootStatus.Operation? {
        now < time + Self.patience ? operation : nil
    }
}
