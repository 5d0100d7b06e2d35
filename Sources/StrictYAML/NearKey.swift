/// Keys that were meant to be other ones.
enum NearKey {
    /// The key by which a missing one may have been meant: two changes of a letter away at most.
    ///
    /// - Parameters:
    ///   - name: what is missing.
    ///   - keys: what is there.
    /// - Returns: the nearest; `nil` where none is near.
    static func find(_ name: String, among keys: [String]) -> String? {
        let near = keys.filter { $0.utf8.count >= 3 && $0.utf8.count <= 64 }.map { ($0, distance($0, name)) }
        return near.filter { $0.1 <= 2 }.min { $0.1 < $1.1 }?.0
    }

    /// How many letters have to be added, left out or exchanged to make one text of the other (Levenshtein).
    private static func distance(_ one: String, _ other: String) -> Int {
        let other = Array(other.utf8)
        var row = Array(0...other.count)
        for (index, letter) in one.utf8.enumerated() {
            var next = [index + 1]
            for (column, against) in other.enumerated() {
                let exchanged = row[column] + (letter == against ? 0 : 1)
                next.append(min(exchanged, row[column + 1] + 1, next[column] + 1))
            }
            row = next
        }
        return row[other.count]
    }
}
