/// A failure in words that are there already.
struct TextError: Error, CustomStringConvertible {
    let description: String
}
