/// A text that is none of those that are taken: the cause of a `DecodingError`, so that this can be told with them.
package struct UnknownChoice: Error, Hashable, CustomStringConvertible {
    /// What is taken.
    package let choices: [String]

    package init(choices: [String]) { self.choices = choices }

    /// Worded to follow the text.
    package var description: String { "is none of \(choices.joined(separator: ", "))" }
}
