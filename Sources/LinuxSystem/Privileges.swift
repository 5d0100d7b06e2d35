import CTendrilShims
import Glibc

/// What this process may do beyond others, and giving it up.
package enum Privileges {
    /// The capabilities that a tunnel needs while it is set up, or longer where the configuration asks for it.
    package struct Capabilities: OptionSet, Sendable {
        package let rawValue: UInt64
        package init(rawValue: UInt64) { self.rawValue = rawValue }

        package static let networkAdministration = Capabilities(rawValue: 1 << 12)
    }

    /// Gives up everything but `kept`; to be called before threads are started, for it holds for the calling one.
    package static func drop(keeping kept: Capabilities) throws(SystemError) {
        let result = tendril_capabilities_keep(kept.rawValue)
        guard result == 0 else { throw SystemError("drop capabilities", code: -result) }
        // Neither a setuid program nor a core dump gives anything back.
        _ = tendril_process_control(PR_SET_NO_NEW_PRIVS, 1)
    }

    /// Keeps keys out of core dumps and away from other processes of the same user.
    package static func forbidDumps() { _ = tendril_process_control(PR_SET_DUMPABLE, 0) }

    /// Allows as many open descriptors as the hard limit does, and returns that number.
    package static func raiseDescriptorLimit() -> Int {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(7), &limit) == 0 else { return 1024 }
        limit.rlim_cur = limit.rlim_max
        _ = setrlimit(__rlimit_resource_t(7), &limit)
        return Int(clamping: limit.rlim_cur)
    }

    /// Gives this thread short turns (Linux 6.12), so that it is not kept waiting beside busy neighbours.
    package static func preferShortSlices() { _ = tendril_set_slice(100_000) }
}
