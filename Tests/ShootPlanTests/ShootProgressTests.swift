import ClusterModel
import Foundation
import ShootPlan
import ShootSamples
import TendrilCore
import Testing

@Suite("How far a shoot is")
struct ShootProgressTests {
    /// One whose operation for `generation` came to this.
    private func shoot(
        _ state: ShootStatus.OperationState?,
        generation: Int = 2,
        observed: Int = 2,
        _ change: (inout Shoot) -> Void = { _ in }
    ) throws -> Shoot {
        let status = try status(state, generation, observed)
        return try Samples.shoot {
            $0.metadata.generation = 2
            $0.status = status
            change(&$0)
        }
    }

    private func status(_ state: ShootStatus.OperationState?, _ generation: Int, _ observed: Int) throws -> ShootStatus?
    {
        guard let state else { return nil }
        let document: JSONValue = [
            "observedGeneration": .integer(observed),
            "lastOperation": [
                "type": "Reconcile", "state": .string(state.rawValue), "progress": 40, "description": "why",
                "lastUpdateTime": "2026-01-01T00:00:00Z", "generation": .integer(generation),
            ],
        ]
        return try document.decoded(as: ShootStatus.self)
    }

    private func pause(_ shoot: inout Shoot) { shoot.metadata.annotations = [ShootAnnotation.pause: "true"] }

    @Test("It is done with what it was asked for, fails with it, and an older failure says nothing")
    func generations() throws {
        #expect(ShootProgress(try shoot(.succeeded), until: 2) == .done)
        #expect(ShootProgress(try shoot(.succeeded, observed: 1), until: 2) == .underWay)
        #expect(ShootProgress(try shoot(.failed), until: 2) == .failed("why"))
        #expect(ShootProgress(try shoot(.failed, generation: 1, observed: 1), until: 2) == .underWay)
        #expect(ShootProgress(try shoot(.error), until: 2) == .underWay)
        #expect(ShootProgress(try shoot(nil), until: 2) == .underWay)
    }

    @Test("It is not done while somebody's wish stands there, and what failed before that wish says nothing of it")
    func wishes() throws {
        func asked(_ state: ShootStatus.OperationState) throws -> Shoot {
            try shoot(state) { $0.metadata.annotations = [ShootAnnotation.operation: "reconcile"] }
        }
        #expect(ShootProgress(try asked(.succeeded), until: 2) == .underWay)
        let failed = try asked(.failed)
        let last = failed.status?.lastOperation
        #expect(ShootProgress(failed, until: 2, since: last) == .underWay)
        #expect(ShootProgress(failed, untilRotationIs: .prepared, after: nil, since: last) == .underWay)
        #expect(ShootProgress(failed, until: 2, since: try asked(.succeeded).status?.lastOperation) == .failed("why"))
    }

    @Test("A failure of this generation that was there before a wish is the answer to it after a while without news")
    func refused() throws {
        func asked(_ generation: Int) throws -> Shoot {
            try shoot(.failed, generation: generation, observed: 1) {
                $0.metadata.annotations = [ShootAnnotation.operation: "reconcile"]
            }
        }
        func progress(_ shoot: Shoot, after seconds: UInt64) -> [ShootProgress] {
            let start = MonotonicTime(nanoseconds: 7)
            let earlier = ShootPast(shoot, at: start).passedOver(at: start + .seconds(seconds))
            return [
                ShootProgress(shoot, until: 2, since: earlier),
                ShootProgress(shoot, untilRotationIs: .prepared, after: nil, since: earlier),
            ]
        }
        #expect(progress(try asked(2), after: 9) == [.underWay, .underWay])
        #expect(progress(try asked(2), after: 10) == [.failed("why"), .failed("why")])
        #expect(progress(try asked(1), after: 60) == [.underWay, .underWay])
    }

    @Test("It rests when nothing is under way: a rotation goes on by itself until people are to do something")
    func rest() throws {
        for (phase, progress) in [
            (RotationPhase.preparing, ShootProgress.underWay), (.prepared, .done), (.completing, .underWay),
            (.completed, .done),
        ] {
            let shoot = try shoot(.succeeded) {
                $0.status?.credentialRotation = .init(phase: phase, startTime: nil, completionTime: nil)
            }
            #expect(ShootProgress(ofRest: shoot) == progress, "\(phase)")
        }
        let leaving = try shoot(.succeeded) { $0.metadata.deletionTimestamp = "2026-01-01T00:00:00Z" }
        #expect(ShootProgress(ofRest: leaving) == .underWay)
    }

    @Test("What is wanted of one that is paused does not come by itself, and it says who ends that")
    func paused() throws {
        let fresh = try shoot(nil, pause)
        let notice = try #require(fresh.pauseNotice)
        #expect(notice.hasPrefix("shoot demo/one is paused (annotation tendril.dev/pause=true): "))
        #expect(notice.hasSuffix(": kubectl -n demo annotate shoot one tendril.dev/pause-"))
        #expect(ShootProgress(fresh, until: 1) == .paused(notice))
        #expect(ShootProgress(try shoot(.processing, pause), until: 2) == .paused(notice))
        #expect(ShootProgress(try shoot(.succeeded, observed: 1, pause), until: 2) == .paused(notice))
        #expect(ShootProgress(fresh, untilRotationIs: .prepared, after: nil) == .paused(notice))
        // Nothing is missing.
        #expect(ShootProgress(try shoot(.succeeded, pause), until: 2) == .done)
    }

    @Test("One that is being deleted is not held up, and neither is one where the annotation says something else")
    func notPaused() throws {
        let leaving = try shoot(.processing) {
            pause(&$0)
            $0.metadata.deletionTimestamp = "2026-01-01T00:00:00Z"
        }
        #expect(leaving.pauseNotice == nil && ShootProgress(leaving, until: 2) == .underWay)
        let other = try shoot(.processing) { $0.metadata.annotations = [ShootAnnotation.pause: "false"] }
        #expect(other.pauseNotice == nil)
    }

    @Test("A pause counts once what a restoration has stopped was started again, or one attempt at that has failed")
    func halfRestored() throws {
        func isPaused(
            _ phase: RestorationPhase,
            _ state: ShootStatus.OperationState,
            _ type: ShootStatus.OperationType = .restore,
            asleep: Bool = false,
            isStopped: Bool? = nil,
            failed: String = "kube-apiserver"
        ) throws -> Bool {
            let shoot = try shoot(state) {
                pause(&$0)
                $0.spec.hibernation.enabled = asleep
                $0.status?.lastOperation?.type = type
                $0.status?.restoration = .init(snapshot: "s", phase: phase, startTime: "a", isStopped: isStopped)
                $0.status?.lastErrors = [.init(task: failed, code: .api, description: "", lastUpdateTime: "")]
            }
            #expect(shoot.isToPause && (shoot.pauseNotice != nil) == shoot.isPaused)
            return shoot.isPaused
        }
        for state in ShootStatus.OperationState.allCases {
            #expect(try !isPaused(.replacing, state) && !isPaused(.replacing, state, .reconcile, asleep: true))
            #expect(try isPaused(.completed, state) && isPaused(.starting, state, .hibernate, asleep: true))
            #expect(try isPaused(.starting, state) == [.error, .failed].contains(state))
            #expect(try !isPaused(.starting, state, .reconcile) && !isPaused(.failed, state, isStopped: true))
            #expect(try isPaused(.failed, state, .reconcile, isStopped: true) == (state != .processing))
            // What could not begin was no attempt, where it is tried again.
            let isWithout = ![.processing, .error].contains(state)
            #expect(try isPaused(.failed, state, .reconcile, isStopped: true, failed: "prepare") == isWithout)
            // It has started since.
            for (type, task) in ShootStatus.OperationType.allCases.flatMap({ [($0, "etcd"), ($0, "prepare")] }) {
                #expect(try isPaused(.failed, state, type, failed: task))
                #expect(try isPaused(.failed, state, type, isStopped: false, failed: task))
            }
        }
    }

    @Test("A rotation is done when its phase is there and nobody wishes anything any more")
    func rotation() throws {
        let prepared = try shoot(.succeeded) {
            $0.status?.credentialRotation = .init(phase: .prepared, startTime: nil, completionTime: nil)
        }
        #expect(ShootProgress(prepared, untilRotationIs: .prepared, after: nil) == .done)
        var asked = prepared
        asked.metadata.annotations = [ShootAnnotation.operation: "rotate-start"]
        #expect(ShootProgress(asked, untilRotationIs: .prepared, after: nil) == .underWay)
        #expect(ShootProgress(try shoot(.failed), untilRotationIs: .prepared, after: nil) == .failed("why"))
    }

    @Test("A step of a rotation that is refused leaves neither a wish nor a trace, and one that has begun says so")
    func refusedRotation() throws {
        func progress(_ phase: RotationPhase?, _ start: String, asked: Bool, after past: RotationPhase?) throws
            -> ShootProgress
        {
            func told(_ phase: RotationPhase?, _ start: String) -> ShootStatus.CredentialRotation? {
                phase.map { .init(phase: $0, startTime: start, completionTime: nil) }
            }
            let shoot = try shoot(.succeeded) {
                $0.status?.credentialRotation = told(phase, start)
                if asked { $0.metadata.annotations = [ShootAnnotation.operation: "rotate-start"] }
            }
            let goal: RotationPhase = past == .prepared || past == .completing ? .completed : .prepared
            return ShootProgress(shoot, untilRotationIs: goal, after: told(past, "a"))
        }
        for past in [nil, .completed, .prepared] as [RotationPhase?] {
            #expect(try progress(past, "a", asked: true, after: past) == .underWay)
            guard case .failed(let reason) = try progress(past, "a", asked: false, after: past) else {
                Issue.record("a wish that is gone is no progress: \(String(describing: past))")
                continue
            }
            #expect(reason.contains("get events"))
        }
        #expect(try progress(.preparing, "b", asked: false, after: .completed) == .underWay)
        #expect(try progress(.preparing, "b", asked: false, after: nil) == .underWay)
        #expect(try progress(.completing, "a", asked: false, after: .prepared) == .underWay)
        // Whoever asks again for what is under way only follows it.
        for past in [RotationPhase.preparing, .completing] {
            #expect(try progress(past, "a", asked: false, after: past) == .underWay)
        }
    }

    @Test("A restoration is done when it is completed; one that is refused leaves neither a wish nor a trace")
    func restoration() throws {
        func shoot(_ phase: RestorationPhase?, _ start: String = "b", asked: Bool = false) throws -> Shoot {
            try self.shoot(.succeeded) {
                $0.status?.restoration = phase.map {
                    .init(snapshot: "s", phase: $0, startTime: start, message: "no room")
                }
                if asked { $0.metadata.annotations = [ShootAnnotation.operation: ShootOperation.restore.rawValue] }
            }
        }
        let earlier = ShootStatus.Restoration(snapshot: "s", phase: .completed, startTime: "a")
        func progress(_ shoot: Shoot) -> ShootProgress { ShootProgress(shoot, restoringAfter: earlier) }
        #expect(progress(try shoot(nil, asked: true)) == .underWay)
        #expect(progress(try shoot(.completed, "a", asked: true)) == .underWay)
        #expect(progress(try shoot(.replacing)) == .underWay)
        #expect(progress(try shoot(.starting)) == .underWay)
        #expect(progress(try shoot(.completed)) == .done)
        #expect(progress(try shoot(.failed)) == .failed("no room"))
        guard case .failed(let reason) = progress(try shoot(.completed, "a")) else {
            Issue.record("a wish that is gone is no success")
            return
        }
        #expect(reason.contains("get events"))
        #expect(ShootProgress(ofRest: try shoot(.starting)) == .underWay)
        #expect(ShootProgress(ofRest: try shoot(.failed)) == .done)
    }
}
