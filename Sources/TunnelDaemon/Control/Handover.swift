/// Carries a value that has one owner from one owner to the next.
final class Handover<Value: ~Copyable & Sendable> {
    private var value: Value?

    init(_ value: consuming Value) { self.value = consume value }

    /// Gives the value away; `nil` the second time.
    func take() -> Value? { value.take() }
}
