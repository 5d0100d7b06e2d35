import ClusterModel
import ShootPlan
import ShootSamples
import TendrilCore
import Testing

@Suite("What the API server asks before a Shoot is stored")
struct ShootAdmissionTests {
    private func review(_ operation: String, _ new: JSONValue?, _ old: JSONValue? = nil) throws -> String? {
        let request: JSONValue = [
            "uid": "u", "operation": .string(operation), "object": new ?? .null, "oldObject": old ?? .null,
        ]
        let text: JSONValue = ["apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request]
        let review = try text.decoded(as: ShootAdmission.Review.self)
        return ShootAdmission.refusal(review.request) { shoot, before in
            ShootRules.problems(shoot) + ShootRules.changes(to: shoot, since: before)
        }
    }

    private func shoot(_ change: (inout Shoot) -> Void = { _ in }) throws -> JSONValue {
        try CanonicalJSON.value(try Samples.shoot(change))
    }

    @Test("What cannot be is refused with its field, when it is made and when it is changed")
    func problems() throws {
        let upsideDown = try shoot { ($0.spec.workers[0].minimum, $0.spec.workers[0].maximum) = (3, 2) }
        #expect(try review("CREATE", upsideDown)?.contains("spec.workers[0].minimum") == true)
        #expect(try review("UPDATE", upsideDown, try shoot())?.contains("spec.workers[0].minimum") == true)
        let taints = try shoot {
            $0.spec.workers[0].taints = ["a", "b"].map { .init(key: "k", value: $0, effect: "NoSchedule") }
        }
        #expect(try review("UPDATE", taints, try shoot()) == "spec.workers[0].taints[1]: k:NoSchedule is there twice")
        let older = try shoot { $0.spec.kubernetes.version = "1.20.1" }
        #expect(try review("CREATE", older) == nil)
        #expect(try review("UPDATE", older, try accepted())?.contains("spec.kubernetes.version") == true)
        #expect(try review("CREATE", try shoot()) == nil)
    }

    private func accepted() throws -> JSONValue {
        try shoot {
            $0.metadata.generation = 3
            $0.status = ShootStatus()
            $0.status?.observedGeneration = 3
        }
    }

    @Test("What was stored and never accepted can be mended, and a coordinator can take a shoot")
    func corrections() throws {
        let older = try shoot { $0.spec.kubernetes.version = "1.20.1" }
        #expect(try review("UPDATE", older, try shoot { $0.metadata.generation = 3 }) == nil)
        let wrong = try shoot { $0.spec.workers[0].minimum = 9 }
        let taken = try shoot {
            $0.spec.workers[0].minimum = 9
            $0.spec.seedName = "here"
        }
        #expect(try review("UPDATE", taken, wrong) == nil)
        #expect(try review("UPDATE", taken, try shoot()) != nil)
    }

    @Test("What nobody changed is not judged anew, and what goes can go")
    func others() throws {
        let wrong = try shoot { $0.spec.workers[0].minimum = 9 }
        let noted = try shoot {
            $0.spec.workers[0].minimum = 9
            $0.metadata.annotations = ["a": "b"]
        }
        #expect(try review("UPDATE", noted, wrong) == nil)
        let going = try shoot {
            $0.spec.workers[0].minimum = 9
            $0.metadata.deletionTimestamp = "2026-01-01T00:00:00Z"
        }
        #expect(try review("UPDATE", going, try shoot()) == nil)
        #expect(try review("CONNECT", wrong) == nil)
    }

    @Test(
        "A shoot that was accepted before a rule became stricter can be changed, also while an earlier change is under way",
        arguments: [3, 4]
    )
    func stricter(_ generation: Int) throws {
        func shoot(_ pods: Int, isHibernated: Bool = false, isAccepted: Bool = true) throws -> JSONValue {
            try self.shoot {
                $0.spec.workers[0].kubelet = .init(maxPods: pods)
                $0.spec.hibernation.enabled = isHibernated
                $0.metadata.generation = generation
                $0.status = ShootStatus()
                $0.status?.observedGeneration = isAccepted ? 3 : nil
            }
        }
        #expect(try review("UPDATE", shoot(500, isHibernated: true), shoot(500)) == nil)
        #expect(try review("UPDATE", shoot(600), shoot(500))?.contains("600 is not 1 to 250") == true)
        #expect(try review("UPDATE", shoot(500, isHibernated: true), shoot(500, isAccepted: false)) != nil)
        #expect(try review("CREATE", shoot(500)) != nil)
    }

    @Test("What a coordinator has just refused is refused again, whatever else is changed")
    func refusedBefore() throws {
        func shoot(isHibernated: Bool, told: String? = nil) throws -> JSONValue {
            try self.shoot { shoot in
                shoot.spec.workers[0].kubelet = .init(maxPods: 500)
                shoot.spec.hibernation.enabled = isHibernated
                shoot.metadata.generation = 4
                shoot.status = ShootStatus()
                shoot.status?.observedGeneration = 3
                shoot.status?.lastErrors = told.map {
                    [.init(task: "prepare", code: .configuration, description: $0, lastUpdateTime: "")]
                }
            }
        }
        let wrong = try Samples.shoot { $0.spec.workers[0].kubelet = .init(maxPods: 500) }
        let problem = try #require(ShootRules.problems(wrong).first)
        let next = try shoot(isHibernated: true)
        #expect(try review("UPDATE", next, shoot(isHibernated: false)) == nil)
        let told = try shoot(isHibernated: false, told: "spec.other: is wrong; \(problem)")
        #expect(try review("UPDATE", next, told)?.contains("500 is not 1 to 250") == true)
        let other = try shoot(isHibernated: false, told: "etcd: waited 300 s")
        #expect(try review("UPDATE", next, other) == nil)
    }

    @Test(
        "What a coordinator does, or has tried to, is accepted, also while it is under way; what it has refused is not",
        arguments: [
            (.processing, nil, true), (.error, "etcd", true), (.failed, "infrastructure", true),
            (.failed, ShootStatus.TaskError.preparation, false), (.error, nil, false), (.pending, nil, false),
            (.failed, ShootStatus.TaskError.namespace, true),
        ] as [(ShootStatus.OperationState, String?, Bool)]
    )
    func underWay(_ state: ShootStatus.OperationState, _ failed: String?, _ isAccepted: Bool) throws {
        try checkUnderWay(state, failed, isAccepted, observed: 3)
    }

    @Test(
        "Of one of which nothing was ever made that holds as well, but where the namespace is somebody else's",
        arguments: [(.processing, nil, true), (.error, "etcd", true), (.failed, "namespace", false)]
            as [(ShootStatus.OperationState, String?, Bool)]
    )
    func underWayAtFirst(_ state: ShootStatus.OperationState, _ failed: String?, _ isAccepted: Bool) throws {
        try checkUnderWay(state, failed, isAccepted, observed: nil)
    }

    private func checkUnderWay(
        _ state: ShootStatus.OperationState,
        _ failed: String?,
        _ isAccepted: Bool,
        observed: Int?
    ) throws {
        func old(_ generation: Int) throws -> JSONValue {
            let operation: JSONValue = [
                "type": "Reconcile", "state": .string(state.rawValue), "progress": 5, "description": "",
                "lastUpdateTime": "", "generation": .integer(generation),
            ]
            let old = try shoot { shoot in
                shoot.metadata.generation = 4
                shoot.status = ShootStatus()
                shoot.status?.observedGeneration = observed
                shoot.status?.lastErrors = failed.map {
                    [.init(task: $0, code: .unknown, description: "x", lastUpdateTime: "")]
                }
            }
            return old.merging(["status": ["lastOperation": operation]])
        }
        let changes: [(String, (inout Shoot) -> Void)] = [
            ("spec.networking.pods", { $0.spec.networking.pods = "10.64.0.0/12" }),
            ("spec.kubernetes.version", { $0.spec.kubernetes.version = "1.20.1" }),
        ]
        for (path, change) in changes {
            let new = try shoot(change)
            let refusal = try review("UPDATE", new, old(4))
            #expect((refusal != nil) == isAccepted && refusal?.hasPrefix(path) != false, "\(path)")
            // What a coordinator does for an earlier generation says nothing of this one.
            #expect(try review("UPDATE", new, old(3)) == nil, "\(path)")
        }
    }

    @Test("Zones that a network was made in are neither removed nor moved, whatever was accepted last")
    func zones() throws {
        func shoot(_ zones: JSONValue, generation: Int = 4) throws -> JSONValue {
            try self.shoot { shoot in
                shoot.spec.provider.type = .aws
                shoot.spec.region = "eu-central-1"
                shoot.spec.provider.infrastructure = ["zones": zones, "credentials": "aws"]
                shoot.spec.networking.type = .overlay
                shoot.spec.workers[0].machineType = "large"
                shoot.metadata.generation = generation
                shoot.status = ShootStatus()
                shoot.status?.observedGeneration = 3
                shoot.status?.infrastructure = ["zones": ["eu-central-1a", "eu-central-1b"], "vpc": "vpc-1"]
            }
        }
        for generation in [3, 4] {
            let old = try shoot(["eu-central-1a", "eu-central-1b"], generation: generation)
            for zones in [["eu-central-1a"], ["eu-central-1b", "eu-central-1a"]] as [JSONValue] {
                let refusal = try review("UPDATE", shoot(zones), old)
                #expect(refusal?.hasPrefix("spec.provider.infrastructure.zones: zones can be added") == true)
            }
            #expect(try review("UPDATE", shoot(["eu-central-1a", "eu-central-1b", "eu-central-1c"]), old) == nil)
        }
        // What cannot be at AWS is refused with its field.
        let other = try review("CREATE", shoot(["us-east-1a"]))
        #expect(other?.contains("spec.provider.infrastructure.zones[0]: us-east-1a is not in the region") == true)
    }

    @Test("A deletion has to be confirmed")
    func deletion() throws {
        #expect(try review("DELETE", nil, try shoot())?.contains(ShootAnnotation.confirmation) == true)
        let confirmed = try shoot { $0.metadata.annotations = [ShootAnnotation.confirmation: "true"] }
        #expect(try review("DELETE", nil, confirmed) == nil)
    }

    @Test("Nobody takes our finalizer away before a coordinator has said that all is gone; others are nobody's")
    func finalizer() throws {
        func shoot(
            _ finalizers: [String]?,
            isGoing: Bool = true,
            _ type: ShootStatus.OperationType = .delete,
            _ state: ShootStatus.OperationState = .succeeded
        ) throws -> JSONValue {
            let last: JSONValue = [
                "type": .string(type.rawValue), "state": .string(state.rawValue), "progress": 100, "description": "",
                "lastUpdateTime": "",
            ]
            return try self.shoot {
                $0.spec.seedName = "here"
                $0.metadata.finalizers = finalizers
                $0.metadata.deletionTimestamp = isGoing ? "2026-01-01T00:00:00Z" : nil
            }.merging(["status": ["lastOperation": last]])
        }
        let (ours, theirs) = (ShootAnnotation.finalizer, "example.com/hold")
        for left in [nil, [], [theirs]] as [[String]?] {
            for isGoing in [false, true] {
                let told = try shoot([ours, theirs], isGoing: isGoing, .delete, .processing)
                #expect(try review("UPDATE", try shoot(left, isGoing: isGoing), told)?.contains(ours) == true)
                let never = try self.shoot { ($0.metadata.finalizers, $0.spec.seedName) = ([ours], "here") }
                #expect(try review("UPDATE", try shoot(left, isGoing: isGoing), never)?.contains(ours) == true)
            }
            #expect(try review("UPDATE", try shoot(left), try shoot([ours])) == nil)
            // What it says of itself in the same request does not count, nor the good end of something else.
            #expect(try review("UPDATE", try shoot(left), try shoot([ours], .reconcile))?.contains(ours) == true)
            #expect(try review("UPDATE", try shoot(left), try shoot([ours], isGoing: false))?.contains(ours) == true)
        }
        let held = try shoot([ours, theirs], .reconcile)
        #expect(try review("UPDATE", try shoot([ours], .reconcile), held) == nil)
        #expect(try review("UPDATE", try shoot([]), try shoot([theirs], .reconcile)) == nil)
    }

    @Test("Our finalizer stays on one that a seed is named for or that one hosts; any other one its owner can let go")
    func unplaced() throws {
        let ours = ShootAnnotation.finalizer
        for going in [nil, "2026-01-01T00:00:00Z"] as [String?] {
            func shoot(_ finalizers: [String], named seed: String? = nil) throws -> JSONValue {
                try self.shoot {
                    ($0.metadata.finalizers, $0.metadata.deletionTimestamp) = (finalizers, going)
                    $0.spec.seedName = seed
                }
            }
            #expect(try review("UPDATE", try shoot([]), try shoot([ours])) == nil)
            let hosted = try shoot([ours]).merging(["status": ["seedName": "here"]])
            // Nor does it help to take the seed's name away as well.
            for old in [hosted, try shoot([ours], named: "here")] {
                #expect(try review("UPDATE", try shoot([]), old)?.contains(ours) == true)
            }
        }
    }

    @Test(
        "What is no Shoot is left to the schema, and never ends the server",
        arguments: [nil, [], ["spec": []], 1] as [JSONValue?]
    )
    func garbage(_ object: JSONValue?) throws {
        #expect(try review("CREATE", object) == nil)
        #expect(try review("DELETE", nil, object) == nil)
    }

    @Test("The answer carries the question's mark and the reason")
    func answers() {
        let yes = ShootAdmission.answer(uid: "u", refusal: nil)
        #expect(yes["response"] == ["uid": "u", "allowed": true])
        let no = ShootAdmission.answer(uid: "u", refusal: "spec: is wrong")
        #expect(no["response"]?["allowed"] == false && no["response"]?["status"]?["message"] == "spec: is wrong")
    }
}
