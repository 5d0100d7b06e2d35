import Observability
import Testing

@Suite("Metrics text")
struct MetricsTextTests {
    @Test("is what Prometheus reads, also with odd labels")
    func isExposition() {
        var text = MetricsText()
        text.add("a_total", .counter, "Help.", [.init(3, [("l", "x\"\\\n")]), .init(0.25)])
        text.add("empty", .gauge, "None yet.", [])
        #expect(
            text.text == "# HELP a_total Help.\n# TYPE a_total counter\na_total{l=\"x\\\"\\\\\\n\"} 3\na_total 0.25\n"
                + "# HELP empty None yet.\n# TYPE empty gauge\n"
        )
    }

    @Test("has counts in the order of what they are counted by")
    func isOrdered() {
        var text = MetricsText()
        text.add("a_total", .counter, "Help.", MetricsText.Sample.each(of: [503: 1, 40: 2], by: "status"))
        #expect(
            text.text == "# HELP a_total Help.\n# TYPE a_total counter\n"
                + "a_total{status=\"40\"} 2\na_total{status=\"503\"} 1\n"
        )
    }
}
