package import ArgumentParser
internal import Glibc

extension AsyncParsableCommand {
    /// Parses the command line, runs what it names, and ends the process.
    package static func start() async {
        do {
            var command = try parseAsRoot()
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
            ProcessEnd.now(0)
        } catch let failure as Failure {
            failure.exit()
        } catch let code as ExitCode {
            ProcessEnd.now(code.rawValue)
        } catch {
            exit(withError: error)
        }
    }
}

/// How a program ends.
enum ProcessEnd {
    /// Ends the process with what was printed, and without the handlers of atexit(3): libraries would free what other
    /// threads still use.
    static func now(_ code: Int32) -> Never {
        fflush(nil)
        _exit(code)
    }
}
