internal import LinuxSystem
internal import TendrilCore

/// Asks again and again, at first often, until there is an answer.
///
/// - Parameters:
///   - patience: how long it asks.
///   - longest: how far apart questions become.
///   - question: is answered, or not yet.
/// - Returns: the answer; `nil` where the time was over or the task was cancelled before there was one.
/// - Throws: `AgentFailure` of a question.
func askAgain<Answer>(
    for patience: Nanoseconds,
    pausingAtMost longest: Nanoseconds,
    _ question: () async throws(AgentFailure) -> Answer?
) async throws(AgentFailure) -> Answer? {
    let deadline = Clock.now() + patience
    var pause = Nanoseconds.milliseconds(50)
    while Clock.now() < deadline {
        if let answer = try await question() { return answer }
        do { try await Task.sleep(pause) } catch { return nil }
        pause = min(Nanoseconds(pause.value * 3 / 2), longest)
    }
    return nil
}
