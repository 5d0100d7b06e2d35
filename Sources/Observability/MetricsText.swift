/// Builds the text that Prometheus scrapes (exposition format 0.0.4).
package struct MetricsText {
    /// What a metric's value means.
    package enum Kind: String, Sendable {
        case counter
        case gauge
    }

    /// A value with its labels.
    package struct Sample: Sendable {
        let labels: [(String, String)]
        let value: Double

        package init(_ value: some BinaryInteger, _ labels: [(String, String)] = []) {
            self.init(Double(value), labels)
        }

        package init(_ value: Double, _ labels: [(String, String)] = []) {
            self.labels = labels
            self.value = value
        }

        /// A sample for each of some counts, in the order of what they are counted by, which is their label's value.
        package static func each<Key: Comparable>(of counts: [Key: UInt64], by label: String) -> [Sample] {
            counts.sorted { $0.key < $1.key }.map { Sample($0.value, [(label, "\($0.key)")]) }
        }
    }

    /// The whole text so far.
    package private(set) var text = ""

    package init() {}

    /// Adds a metric with all its samples; of one that has none yet it is said that there is one.
    package mutating func add(_ name: String, _ kind: Kind, _ help: String, _ samples: [Sample]) {
        head(name, kind.rawValue, help)
        for sample in samples { line(name, sample) }
    }

    /// Adds a histogram.
    ///
    /// - Parameters:
    ///   - name: of the metric, without a suffix.
    ///   - help: what is measured.
    ///   - buckets: counts of values up to the bound that is the label `le`, in growing order, the last one `+Inf`.
    ///   - sum: of all values.
    ///   - count: of all values.
    package mutating func addHistogram(_ name: String, _ help: String, buckets: [Sample], sum: Double, count: UInt64) {
        head(name, "histogram", help)
        for bucket in buckets { line("\(name)_bucket", bucket) }
        line("\(name)_sum", Sample(sum))
        line("\(name)_count", Sample(count))
    }

    private mutating func head(_ name: String, _ kind: String, _ help: String) {
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind)\n"
    }

    private mutating func line(_ name: String, _ sample: Sample) {
        let labels = sample.labels.map { "\($0)=\"\(Self.escaped($1))\"" }.joined(separator: ",")
        text += "\(name)\(labels.isEmpty ? "" : "{\(labels)}") \(Self.number(sample.value))\n"
    }

    private static func escaped(_ text: String) -> String {
        var result = ""
        for character in text.unicodeScalars {
            switch character {
            case "\\": result += "\\\\"
            case "\"": result += "\\\""
            case "\n": result += "\\n"
            default: result.unicodeScalars.append(character)
            }
        }
        return result
    }

    private static func number(_ value: Double) -> String {
        value == value.rounded() && abs(value) < 1e15 ? String(Int(value)) : String(value)
    }
}
