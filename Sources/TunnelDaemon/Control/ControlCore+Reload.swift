import Logging
import TLSEngine
import TendrilCore

/// How certificates and keys are exchanged while the daemon runs.
extension ControlCore {
    /// Uses what is new on the disk from now on; what cannot be used changes nothing.
    func reload(at now: MonotonicTime) {
        do {
            guard let old = try store.refresh(at: now) else { return }
            logger.notice("certificates and keys reloaded")
            let expiry = store.current.context.expiry
            board.update { state in
                state.reloads["ok", default: 0] += 1
                state.certificateExpiry = expiry
            }
            delegate?.renewed(from: old, at: now)
        } catch {
            logger.error("reload failed, the old identity stays in use", metadata: ["reason": "\(error)"])
            board.update { state in
                state.reloads["failed", default: 0] += 1
                state.lastError = "reload failed: \(error)"
            }
        }
    }
}
