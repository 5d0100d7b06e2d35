/// One change to a machine.
package enum Step: Hashable, Sendable {
    case write(path: String, DesiredFile)
    /// Take away what we wrote, and put back what was there.
    case restore(path: String, Manifest.Original)
    case reloadUnits
    case enable(String)
    case disable(String)
    case start(String)
    case stop(String)
    case restart(String)
}

/// What has to happen for a machine to be as it is wanted.
package struct Plan: Hashable, Sendable {
    /// What is at these paths is kept under these names before anything else, so that it can be put back.
    package var originals: [String: String]
    /// To be written then, before the first step.
    package var ahead: Manifest
    package var steps: [Step]
    /// To be written after the last one.
    package var behind: Manifest

    /// Nothing has to happen.
    package var isEmpty: Bool { steps.isEmpty && ahead == behind }

    /// The files that are written.
    package var written: Set<String> {
        Set(
            steps.compactMap { step in
                guard case .write(let path, _) = step else { return nil }
                return path
            }
        )
    }

    /// Whether a unit is started or restarted.
    package func starts(_ unit: String) -> Bool { steps.contains(.start(unit)) || steps.contains(.restart(unit)) }

    /// The units that are restarted or stopped.
    package var disrupted: [String] {
        steps.compactMap { step in
            switch step {
            case .restart(let name), .stop(let name): name
            default: nil
            }
        }
    }
}
