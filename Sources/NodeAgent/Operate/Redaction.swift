internal import TendrilCore

/// Takes secrets out of texts.
package enum Redaction {
    /// The text without bootstrap tokens, bearer tokens, private keys and what is called a password.
    package static func clean(_ text: String) -> String {
        var isKey = false
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map { line -> String in
            if line.contains("PRIVATE KEY-----") {
                isKey = line.contains("BEGIN")
                return "[private key left out]"
            }
            if isKey { return "" }
            return words(in: String(line))
        }
        return lines.joined(separator: "\n")
    }

    private static func words(in line: String) -> String {
        var result = ""
        var word = ""
        var hidesNext = false
        func flush() {
            guard !word.isEmpty else { return }
            result += hidesNext || isSecret(word) ? "[left out]" : word
            hidesNext = ["bearer", "token", "password", "passwd", "secret", "token-secret"].contains(word.lowercased())
            word = ""
        }
        for character in line {
            if character.isLetter || character.isNumber || "-._~+/".contains(character) {
                word.append(character)
            } else {
                flush()
                result.append(character)
            }
        }
        flush()
        return result
    }

    /// Whether a word has the form of a bootstrap token or of a JSON Web Token.
    private static func isSecret(_ word: String) -> Bool {
        let parts = word.split(separator: ".", omittingEmptySubsequences: false)
        func isPlain(_ part: Substring, _ count: Int) -> Bool {
            part.utf8.count == count && part.utf8.allSatisfy { $0.isLowercase || $0.isDigit }
        }
        if parts.count == 2, isPlain(parts[0], 6), isPlain(parts[1], 16) { return true }
        return word.hasPrefix("eyJ") && parts.count == 3
    }
}
