import ClusterModel
import ShootPlan
import ShootSamples
import TendrilCore
import Testing

@Suite("How often a cloud is asked although nothing has changed")
struct CloudPaceTests {
    private static let start: UInt64 = 1_800_000_000

    @Test("once a day, whenever the regular pass comes, and at once where nobody knows when it was asked")
    func daily() {
        var (last, looks): (UInt64?, [UInt64]) = (nil, [])
        // Ten days of a pass every hour or so.
        for pass in 0..<240 as Range<UInt64> {
            let now = Self.start + pass * 3607
            guard CloudPace.isDue("demo/one", last: last, at: now) else { continue }
            last = now
            looks.append(now)
        }
        #expect((10...12).contains(looks.count) && looks.first == Self.start)
        let pauses = zip(looks.dropFirst(), looks.dropFirst(2)).map { $1 - $0 }
        #expect(pauses.allSatisfy { (86400 - 3607...86400 + 3607).contains($0) }, "\(pauses)")
    }

    @Test("at a moment of the day that is each shoot's own")
    func spread() {
        // Whose moment lies in which hour of a day.
        var hours = [Int](repeating: 0, count: 24)
        for number in 0..<1000 {
            let key = "demo/shoot-\(number)"
            let hour = (0..<24).first { hour in
                let begin = Self.start + UInt64(hour) * 3600
                return CloudPace.isDue(key, last: begin, at: begin + 3600)
            }
            if let hour { hours[hour] += 1 }
        }
        #expect(hours.reduce(0, +) == 1000)
        #expect(hours.allSatisfy { (15...80).contains($0) }, "\(hours)")
    }

    @Test("also by a clock that was wrong")
    func clock() {
        #expect(CloudPace.isDue("demo/one", last: Self.start + 10 * 86400, at: Self.start))
        #expect(CloudPace.isDue("demo/one", last: .max, at: Self.start))
        #expect(!CloudPace.isDue("demo/one", last: Self.start, at: Self.start))
    }

    private func node(_ name: String, isReady: Bool = true, pool: String? = "worker") throws -> Node {
        let labels: JSONValue = pool.map { ["tendril.dev/pool": .string($0)] } ?? [:]
        let document: JSONValue = [
            "metadata": ["name": .string(name), "labels": labels],
            "status": ["conditions": [["type": "Ready", "status": isReady ? "True" : "Unknown"]]],
        ]
        return try document.decoded(as: Node.self)
    }

    @Test("out of turn where a machine may have ended")
    func doubts() throws {
        let pools = try Samples.shoot { $0.spec.workers[0].minimum = 2 }.spec.workers
        let well = [try node("a"), try node("b")]
        #expect(!CloudPace.isDoubtful(well, issued: ["a", "b"], pools))
        #expect(!CloudPace.isDoubtful(well + [try node("mine", isReady: false, pool: nil)], issued: [], pools))
        #expect(CloudPace.isDoubtful(well + [try node("c", isReady: false)], issued: ["a", "b", "c"], pools))
        #expect(CloudPace.isDoubtful([try node("a")], issued: ["a"], pools))
        #expect(CloudPace.isDoubtful(well, issued: ["a", "b", "gone"], pools))
    }
}
